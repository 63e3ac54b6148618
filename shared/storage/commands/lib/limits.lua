-- Limits of one tenant: requests and tokens a minute, and how many of its jobs may wait. How many
-- are in flight is in `lanes`.

local Limits = {}

-- Buckets that leak. The level is in units of 1/60,000 of a thing, so that what leaks in a
-- millisecond is the limit a minute, a whole number: nothing is ever rounded.
Limits.UNIT = 60000

function Limits.leak(level, at, per_minute)
  return math.max(0, number(level, 0) - math.max(0, now - number(at, now)) * per_minute)
end

-- {requests that would be accepted now, ms until the bucket is empty}
function Limits.rate_of(level, per_minute)
  return { math.max(0, math.floor((per_minute * Limits.UNIT - level) / Limits.UNIT)), math.ceil(level / per_minute) }
end

-- A job waits while it is accepted, not handed off and not final: in a lane, or in back-off.
function Limits.count_waiting(tenant, class, change)
  call('HINCRBY', TENANT .. tenant, 'waiting:' .. class, change)
  call('HINCRBY', SCHEDULER, 'waiting:' .. class, change)
end

-- The job's estimated tokens go into the tenant's bucket, or it is told how many ms to wait until
-- they fit. Those of a job larger than the bucket fit when it is empty, and overfill it.
function Limits.take_tokens(id, tenant, tokens)
  local row = call('HMGET', TENANT .. tenant, 'tokens_per_minute', 'tokens', 'tokens_at')
  local per_minute = number(row[1], scheduler.tokens_per_minute)
  if per_minute == math.huge or not tokens then
    return 0
  end
  local level = Limits.leak(row[2], row[3], per_minute)
  local excess = level - math.max(0, per_minute - tokens) * Limits.UNIT
  if excess > 0 then
    return math.ceil(excess / per_minute)
  end
  call('HSET', TENANT .. tenant, 'tokens', level + tokens * Limits.UNIT, 'tokens_at', now)
  call('HSET', JOB .. id, 'taken', tokens)
  return 0
end

-- What was taken at the hand-off becomes what was used.
function Limits.correct_tokens(id, tenant, taken, used)
  taken, used = tonumber(taken), tonumber(used)
  call('HDEL', JOB .. id, 'taken')
  local row = call('HMGET', TENANT .. tenant, 'tokens_per_minute', 'tokens', 'tokens_at')
  local per_minute = number(row[1], scheduler.tokens_per_minute)
  if per_minute == math.huge or used == taken then
    return
  end
  local level = Limits.leak(row[2], row[3], per_minute)
  call('HSET', TENANT .. tenant, 'tokens', math.max(0, level + (used - taken) * Limits.UNIT), 'tokens_at', now)
  if used < taken then
    -- What waits may fit now.
    call('HDEL', TENANT .. tenant, 'tokens_until')
  end
end

return Limits
