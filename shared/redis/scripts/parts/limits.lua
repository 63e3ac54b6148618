-- Limits of one tenant: what it may ask for in a minute, and how many of its jobs may wait.

-- Buckets that leak. The level is in units of 1/60,000 of a thing, so that what leaks in a millisecond is the limit a minute, a whole number: nothing is ever rounded.
local UNIT = 60000

local function leak(level, at, per_minute)
  return math.max(0, number(level, 0) - math.max(0, now - number(at, now)) * per_minute)
end

-- {requests that would be accepted now, ms until the bucket is empty}
local function rate_of(level, per_minute)
  return { math.max(0, math.floor((per_minute * UNIT - level) / UNIT)), math.ceil(level / per_minute) }
end

-- A job waits while it is accepted, not handed off and not final: in a lane, or in back-off.
local function count_waiting(tenant, class, change)
  call('HINCRBY', TENANT .. tenant, 'waiting:' .. class, change)
end
