-- begin-batch: opens a batch that lines can be staged for. Nothing of it can be seen before
-- `publish`; called again with the same id it changes nothing.
--
-- In:  stem; id; tenant; provider; credential; parent ('' none); sandbox; lease_ms; idempotency_entry (''
--      none); idempotency_ms: life of the entry; platform_key: the one that asks; fingerprint: of the
--      user's key ('' none); requests_per_minute; max_queued: lines of the tenant that may wait;
--      traceparent ('' none); max_stored_bytes: of the tenant
-- Out: {'staging', rate}, {'in_progress', rate} where the entry is held by a batch that is
--      being staged, {'known', rate, digest, id} where the entry's request was accepted,
--      {'rate_limited', rate, ms until one is accepted}, {'too_many_queued', rate, lines that
--      wait}, {'too_many_stored_bytes', rate, bytes stored},
--      or {'stopped', rate, why as of `Stops.reason_of`}; `rate` as of `Limits.rate_of`
-- Only what may be staged counts as a request.
-- Crash window: a batch whose API process died holds its entry until the lease is over.

local stem, id, entry = input.stem, input.id, input.idempotency_entry
local lease_end = now + input.lease_ms
local tenant, per_minute = input.tenant, input.requests_per_minute
local used = call('HMGET', TENANT .. tenant, 'requests', 'requests_at', 'waiting:batch', 'stored_bytes')
local requests = Limits.leak(used[1], used[2], per_minute)

local stopped = Stops.reason_of(tenant, input.platform_key, math.huge)
if stopped then
  return { 'stopped', Limits.rate_of(requests, per_minute), stopped }
end
local held = entry ~= '' and call('GET', IDEMPOTENCY .. entry)
if held then
  local digest, holder = held:match('^(%S+) (%S+)$')
  if digest ~= '-' then
    return { 'known', Limits.rate_of(requests, per_minute), digest, holder }
  end
  local other = holder:sub(7, 28)
  local staging = call('HGET', BATCH .. other, 'status') == 'staging'
  if holder ~= id and staging and number(call('ZSCORE', BATCH_DUE, other), 0) > now then
    return { 'in_progress', Limits.rate_of(requests, per_minute) }
  end
end
if call('HGET', BATCH .. stem, 'status') == 'staging' then
  return { 'staging', Limits.rate_of(requests, per_minute) }
end
local excess = requests + Limits.UNIT - per_minute * Limits.UNIT
if excess > 0 then
  return { 'rate_limited', Limits.rate_of(requests, per_minute), math.ceil(excess / per_minute) }
end
local waiting = number(used[3], 0)
if waiting >= input.max_queued then
  return { 'too_many_queued', Limits.rate_of(requests, per_minute), waiting }
end
local stored = number(used[4], 0)
if stored + Bytes.RECORD_BYTES > input.max_stored_bytes then
  return { 'too_many_stored_bytes', Limits.rate_of(requests, per_minute), stored }
end
requests = requests + Limits.UNIT
call('HSET', TENANT .. tenant, 'requests', requests, 'requests_at', now, 'stored_bytes', stored + Bytes.RECORD_BYTES)
if entry ~= '' then
  call('SET', IDEMPOTENCY .. entry, '- ' .. id, 'PX', input.idempotency_ms)
end
Records.write(BATCH .. stem, {
  id = id,
  tenant = tenant,
  provider = input.provider,
  credential = input.credential,
  status = 'staging',
  platform_key = input.platform_key,
  begun = now,
  parent = input.parent,
  sandbox = input.sandbox and 1,
  idempotency = entry,
  fingerprint = input.fingerprint,
  traceparent = input.traceparent,
})
call('SET', STORED_BYTES .. stem .. ':' .. tenant, Bytes.RECORD_BYTES)
call('ZADD', STORED_UNTIL, now + Bytes.BATCH_LOOK_MS, stem .. ':' .. tenant)
call('ZADD', BATCH_DUE, lease_end, stem)
return { 'staging', Limits.rate_of(requests, per_minute) }
