-- view: jobs as they stand.
--
-- In:  1 tenant, 2 API process to be told of changes ('' none), 3 with result ('1' or ''), 4… ids (≤ 64)
-- Out: for each id what `view_job` answers

read_scheduler()
local views = {}
for i = 4, #ARGV do
  views[#views + 1] = view_job(ARGV[i], ARGV[1], ARGV[2], ARGV[3] == '1')
end
return views
