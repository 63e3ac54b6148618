-- stage: adds lines to a batch that is not published, and renews its lease. Called again with the same lines it changes nothing more.
--
-- In:  1 stem, 2 lease ms, then for each line (≤ 32, all of one part of BATCH_LINES): 3 what its id has after the stem, 4 lane, 5 contents as `read_staged` takes them
-- Out: 'staged', or 'lost' where the batch is not being staged any more

local stem = ARGV[1]
if call('HGET', BATCH .. stem, 'status') ~= 'staging' then
  return 'lost'
end
call('ZADD', BATCH_DUE, now + tonumber(ARGV[2]), stem)
local at = stem .. ARGV[3]:sub(1, 3)
if call('HEXISTS', BATCH_LINES .. at, ARGV[3]:sub(4, 4)) == 1 then
  return 'staged'
end
local fields = {}
for i = 3, #ARGV, 3 do
  call('RPUSH', LANE_NEW .. stem .. '.' .. ARGV[i + 1], ARGV[i])
  fields[#fields + 1] = ARGV[i]:sub(4, 4)
  fields[#fields + 1] = ARGV[i + 2]
end
call('HSET', BATCH_LINES .. at, unpack(fields))
call('HINCRBY', BATCH .. stem, 'total', #fields / 2)
return 'staged'
