-- erase-batch: from here on nobody can read a batch that has ended, or one that is being staged;
-- `sweep-batch` deletes what it holds.
--
-- In:  tenant; stem; being: 'staging' | 'final', which of the two it must be
-- Out: 'gone' | 'conflict' | 'erased'

local row = call('HMGET', BATCH .. input.stem, 'tenant', 'status')
if
  input.being == 'final' and not Views.is_readable(input.stem, input.tenant)
  or input.being == 'staging' and (row[1] ~= input.tenant or row[2] ~= 'staging')
then
  return 'gone'
end
if input.being == 'final' and not FINAL[row[2]] then
  return 'conflict'
end
Batches.begin_erasing(input.stem)
return 'erased'
