-- Intake: what speaks against a job before anything of it is stored; the same for a request that
-- comes at once and for one whose pieces are still to be written.

local Intake = {}

-- What a tenant uses of `limits` (`per_minute` requests, `queued` jobs of the class, `stored` bytes):
-- the level of its bucket of requests, its waiting jobs of a class, its stored bytes, and its rate as of
-- `Limits.rate_of`.
function Intake.use_of(tenant, class, limits)
  local used = call('HMGET', TENANT .. tenant, 'requests', 'requests_at', 'waiting:' .. class, 'stored_bytes')
  local requests = Limits.leak(used[1], used[2], limits.per_minute)
  return {
    limits = limits,
    requests = requests,
    waiting = number(used[3], 0),
    stored = number(used[4], 0),
    rate = Limits.rate_of(requests, limits.per_minute),
  }
end

-- {'stopped', rate, why} or nil. Judged first: what was accepted before is not answered either.
function Intake.stop_of(use, tenant, platform_key)
  local stopped = Stops.reason_of(tenant, platform_key, math.huge)
  return stopped and { 'stopped', use.rate, stopped } or nil
end

-- {'behind', rate}, {'rate_limited', rate, ms until one is accepted}, {'too_many_queued', rate},
-- {'too_many_stored_bytes', rate, bytes stored, `bytes`}, or nil. `needs`: of a worker, with spaces
-- between; `bytes`: that would be stored.
function Intake.refusal_of(use, needs, bytes)
  local limits = use.limits
  if needs ~= '' and not Schema.is_at_least(Schema.NEEDS_OF_REQUESTS) then
    return { 'behind', use.rate }
  end
  local excess = use.requests + Limits.UNIT - limits.per_minute * Limits.UNIT
  if excess > 0 then
    return { 'rate_limited', use.rate, math.ceil(excess / limits.per_minute) }
  end
  if use.waiting >= limits.queued then
    return { 'too_many_queued', use.rate }
  end
  if use.stored + bytes > limits.stored then
    return { 'too_many_stored_bytes', use.rate, use.stored, bytes }
  end
  return nil
end

return Intake
