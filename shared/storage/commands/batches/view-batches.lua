-- view-batches: batches as they stand.
--
-- In:  tenant; watcher: API process to be told of changes ('' none); stems (≤ 64)
-- Out: for each stem what `Views.batch` answers

local views = {}
for i = 1, #input.stems do
  views[#views + 1] = Views.batch(input.stems[i], input.tenant, input.watcher)
end
return views
