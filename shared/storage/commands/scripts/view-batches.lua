-- view-batches: batches as they stand.
--
-- In:  1 tenant, 2 API process to be told of changes ('' none), 3… stems (≤ 64)
-- Out: for each stem what `view_batch` answers

local views = {}
for i = 3, #ARGV do
  views[#views + 1] = view_batch(ARGV[i], ARGV[1], ARGV[2])
end
return views
