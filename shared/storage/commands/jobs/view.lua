-- view: jobs as they stand.
--
-- In:  tenant; watcher: API process to be told of changes ('' none); with_result; ids (≤ 64)
-- Out: for each id what `Views.job` answers

Lanes.read_scheduler()
local views = {}
for i = 1, #input.ids do
  views[#views + 1] = Views.job(input.ids[i], input.tenant, input.watcher, input.with_result)
end
return views
