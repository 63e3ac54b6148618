-- take-request: counts a request of a tenant toward its limit, where one more is accepted now.
--
-- In:  tenant; requests_per_minute
-- Out: {'taken', rate}, or {'rate_limited', rate, ms until one is accepted}; `rate` as of `Limits.rate_of`

local tenant, per_minute = input.tenant, input.requests_per_minute
local used = call('HMGET', TENANT .. tenant, 'requests', 'requests_at')
local requests = Limits.leak(used[1], used[2], per_minute)
local excess = requests + Limits.UNIT - per_minute * Limits.UNIT
if excess > 0 then
  return { 'rate_limited', Limits.rate_of(requests, per_minute), math.ceil(excess / per_minute) }
end
requests = requests + Limits.UNIT
call('HSET', TENANT .. tenant, 'requests', requests, 'requests_at', now)
return { 'taken', Limits.rate_of(requests, per_minute) }
