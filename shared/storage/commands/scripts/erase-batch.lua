-- erase-batch: from here on nobody can read a batch that has ended, or one that is being staged; `sweep-batch` deletes what it holds.
--
-- In:  1 tenant, 2 stem, 3 'staging' | 'final': which of the two it must be
-- Out: 'gone' | 'conflict' | 'erased'

local row = call('HMGET', BATCH .. ARGV[2], 'tenant', 'status')
if ARGV[3] == 'final' and not is_readable(ARGV[2], ARGV[1]) or ARGV[3] == 'staging' and (row[1] ~= ARGV[1] or row[2] ~= 'staging') then
  return 'gone'
end
if ARGV[3] == 'final' and not FINAL[row[2]] then
  return 'conflict'
end
begin_erasing(ARGV[2])
return 'erased'
