-- stage: adds lines to a batch that is not published, and renews its lease. Called again with the same lines it changes nothing more.
--
-- In:  1 stem, 2 lease ms, 3 tenant, 4 most bytes of it that may be stored,
--      then for each line (≤ 32, all of one part of BATCH_LINES): 5 what its id has after the stem, 6 lane, 7 contents as `read_staged` takes them
-- Out: {'staged'}, {'too_many_stored_bytes', bytes stored of others, bytes of this batch with these lines}, {'stopped', why as of `stop_of`},
--      or {'lost'} where the batch is not being staged any more

local stem = ARGV[1]
local batch = call('HMGET', BATCH .. stem, 'status', 'tenant', 'platform_key', 'begun')
if batch[1] ~= 'staging' then
  return { 'lost' }
end
local stopped = stop_of(batch[2], batch[3], batch[4])
if stopped then
  return { 'stopped', stopped }
end
call('ZADD', BATCH_DUE, now + tonumber(ARGV[2]), stem)
local at = stem .. ARGV[5]:sub(1, 3)
if call('HEXISTS', BATCH_LINES .. at, ARGV[5]:sub(4, 4)) == 1 then
  return { 'staged' }
end
local tenant, bytes, lines = ARGV[3], 0, (#ARGV - 4) / 3
-- Also of lines that are refused: pieces of an upload are under way together, and `sweep-batch` looks for so many.
call('HINCRBY', BATCH .. stem, 'total', lines)
for i = 5, #ARGV, 3 do
  bytes = bytes + RECORD_BYTES + #ARGV[i + 2]
end
local stored = number(call('HGET', TENANT .. tenant, 'stored_bytes'), 0)
if stored + bytes > tonumber(ARGV[4]) then
  local own = number(call('GET', STORED_BYTES .. stem .. ':' .. tenant), 0)
  return { 'too_many_stored_bytes', stored - own, own + bytes }
end
change_batch_bytes(stem, tenant, bytes)
local fields = {}
for i = 5, #ARGV, 3 do
  call('RPUSH', LANE_NEW .. stem .. '.' .. ARGV[i + 1], ARGV[i])
  fields[#fields + 1] = ARGV[i]:sub(4, 4)
  fields[#fields + 1] = ARGV[i + 2]
end
call('HSET', BATCH_LINES .. at, unpack(fields))
return { 'staged' }
