-- stage: adds lines to a batch that is not published, and renews its lease. Called again with the
-- same lines it changes nothing more.
--
-- In:  stem; lease_ms; tenant; max_stored_bytes: of it; lines: of each (≤ 32, all of one part of
--      BATCH_LINES) what its id has after the stem, its lane, and its contents as `Lines.read_staged` takes
--      them
-- Out: {'staged'}, {'too_many_stored_bytes', bytes stored of others, bytes of this batch with
--      these lines}, {'stopped', why as of `Stops.reason_of`},
--      {'behind'} where a line has words that the schema does not know,
--      or {'lost'} where the batch is not being staged any more

local stem = input.stem
local batch = call('HMGET', BATCH .. stem, 'status', 'tenant', 'platform_key', 'begun')
if batch[1] ~= 'staging' then
  return { 'lost' }
end
local stopped = Stops.reason_of(batch[2], batch[3], batch[4])
if stopped then
  return { 'stopped', stopped }
end
call('ZADD', BATCH_DUE, now + input.lease_ms, stem)
local at = stem .. input.lines[1]:sub(1, 3)
if call('HEXISTS', BATCH_LINES .. at, input.lines[1]:sub(4, 4)) == 1 then
  return { 'staged' }
end
local tenant, bytes, lines = input.tenant, 0, #input.lines / 3
-- Also of lines that are refused: pieces of an upload are under way together, and `sweep-batch`
-- looks for so many.
call('HINCRBY', BATCH .. stem, 'total', lines)
for i = 3, #input.lines, 3 do
  if Lines.has_more_words(input.lines[i]) and not Schema.is_at_least(Schema.NEEDS_OF_REQUESTS) then
    return { 'behind' }
  end
end
for i = 1, #input.lines, 3 do
  bytes = bytes + Bytes.RECORD_BYTES + #input.lines[i + 2]
end
local stored = number(call('HGET', TENANT .. tenant, 'stored_bytes'), 0)
if stored + bytes > input.max_stored_bytes then
  local own = number(call('GET', STORED_BYTES .. stem .. ':' .. tenant), 0)
  return { 'too_many_stored_bytes', stored - own, own + bytes }
end
Bytes.change_batch(stem, tenant, bytes)
local fields = {}
for i = 1, #input.lines, 3 do
  call('RPUSH', LANE_NEW .. stem .. '.' .. input.lines[i + 1], input.lines[i])
  fields[#fields + 1] = input.lines[i]:sub(4, 4)
  fields[#fields + 1] = input.lines[i + 2]
end
call('HSET', BATCH_LINES .. at, unpack(fields))
return { 'staged' }
