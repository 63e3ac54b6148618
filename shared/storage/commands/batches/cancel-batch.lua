-- cancel-batch: ends all lines of a batch that wait for their first turn, and asks the others to end.
--
-- In:  tenant; stem; retention_ms
-- Out: {'gone' | 'final' | 'requested', {hand-offs of deliveries}}

if not Views.is_readable(input.stem, input.tenant) then
  return { 'gone', {} }
end
if call('HGET', BATCH .. input.stem, 'status') == 'in_progress' then
  Batches.stop(input.stem, 'cancelled', input.retention_ms)
end
return { FINAL[call('HGET', BATCH .. input.stem, 'status')] and 'final' or 'requested', deliveries }
