-- cancel-batch: ends all lines of a batch that wait for their first turn, and asks the others to end.
--
-- In:  1 tenant, 2 stem, 3 retention ms
-- Out: {'gone' | 'final' | 'requested', {hand-offs of deliveries}}

local row = call('HMGET', BATCH .. ARGV[2], 'tenant', 'published', 'erasing', 'status')
if row[1] ~= ARGV[1] or not row[2] or row[3] then
  return { 'gone', {} }
end
if row[4] == 'in_progress' then
  stop_batch(ARGV[2], 'cancelled', tonumber(ARGV[3]))
end
return { FINAL[call('HGET', BATCH .. ARGV[2], 'status')] and 'final' or 'requested', deliveries }
