-- measure: how a shard's queue stands.
--
-- Out: {waiting, ms that the oldest in a lane has waited (0 none), handed off; the same of
--      batches; delayed, parked lanes, worker slots; how often budgets were told of: 80 % and 100 %
--      of the platform's account's, the same of users' keys}
-- WAITING_LANES says since when a lane is not empty, which is never later than its first id. Here
-- the lanes that come first are corrected until the first is right, a bounded number.

local ALPHABET = '0123456789abcdefghjkmnpqrstvwxyz'

-- An id begins with the 48 bits of the millisecond in which it was made: `job_` and 10 characters.
local function made_at(id)
  local ms = 0
  for i = 5, 14 do
    ms = ms * 32 + ALPHABET:find(id:sub(i, i), 1, true) - 1
  end
  return ms
end

local function oldest(class)
  for _ = 1, 64 do
    local first = call('ZRANGE', WAITING_LANES .. class, 0, 0, 'WITHSCORES')
    local lane, since = first[1], tonumber(first[2])
    if not lane then
      return 0
    end
    -- The lines of a batch were accepted together, when their lane began to wait.
    local id = not Lines.batch_of_lane(lane)
      and (call('ZRANGE', LANE_BACK .. lane, 0, 0)[1] or call('LINDEX', LANE_NEW .. lane, 0))
    if not id or made_at(id) <= since then
      return since
    end
    call('ZADD', WAITING_LANES .. class, made_at(id), lane)
  end
  return tonumber(call('ZRANGE', WAITING_LANES .. class, 0, 0, 'WITHSCORES')[2])
end

local row = call(
  'HMGET',
  SCHEDULER,
  'waiting:interactive',
  'waiting:batch',
  'batch_inflight',
  'told:platform:80',
  'told:platform:100',
  'told:user:80',
  'told:user:100'
)
local batch = number(row[3], 0)
local function age(since)
  return since == 0 and 0 or math.max(0, now - since)
end
return {
  number(row[1], 0),
  age(oldest('interactive')),
  call('HLEN', INFLIGHT) - batch,
  number(row[2], 0),
  age(oldest('batch')),
  batch,
  call('ZCARD', DELAYED),
  call('ZCARD', PARKED),
  Lanes.read_capacity(),
  number(row[4], 0),
  number(row[5], 0),
  number(row[6], 0),
  number(row[7], 0),
}
