-- cancel-batch: ends all lines of a batch that wait for their first turn, and asks the others to end.
--
-- In:  1 tenant, 2 stem, 3 retention ms
-- Out: {'gone' | 'final' | 'requested', {hand-offs of deliveries}}

if not is_readable(ARGV[2], ARGV[1]) then
  return { 'gone', {} }
end
if call('HGET', BATCH .. ARGV[2], 'status') == 'in_progress' then
  stop_batch(ARGV[2], 'cancelled', tonumber(ARGV[3]))
end
return { FINAL[call('HGET', BATCH .. ARGV[2], 'status')] and 'final' or 'requested', deliveries }
