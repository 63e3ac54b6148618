-- take-request: counts a request of a tenant toward its limit, where one more is accepted now.
--
-- In:  1 tenant, 2 most requests a minute
-- Out: {'taken', rate}, or {'rate_limited', rate, ms until one is accepted}; `rate` as of `rate_of`

local tenant, per_minute = ARGV[1], tonumber(ARGV[2])
local used = call('HMGET', TENANT .. tenant, 'requests', 'requests_at')
local requests = leak(used[1], used[2], per_minute)
local excess = requests + UNIT - per_minute * UNIT
if excess > 0 then
  return { 'rate_limited', rate_of(requests, per_minute), math.ceil(excess / per_minute) }
end
requests = requests + UNIT
call('HSET', TENANT .. tenant, 'requests', requests, 'requests_at', now)
return { 'taken', rate_of(requests, per_minute) }
