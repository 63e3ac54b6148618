-- begin-batch: opens a batch that lines can be staged for. Nothing of it can be seen before `publish`; called again with the same id it changes nothing.
--
-- In:  1 stem, 2 id, 3 tenant, 4 provider, 5 credential, 6 parent ('' none), 7 sandbox ('1' or ''), 8 lease ms, 9 idempotency entry ('' none), 10 ms that the entry stays,
--      11 platform key that asks, 12 fingerprint of the user's key ('' none), 13 most requests a minute, 14 most lines of the tenant that may wait,
--      15 traceparent ('' none), 16 most bytes of the tenant that may be stored
-- Out: {'staging', rate}, {'in_progress', rate} where the entry is held by a batch that is being staged, {'known', rate, digest, id} where the entry's request was accepted,
--      {'rate_limited', rate, ms until one is accepted}, {'too_many_queued', rate, lines that wait}, {'too_many_stored_bytes', rate, bytes stored},
--      or {'stopped', rate, why as of `stop_of`}; `rate` as of `rate_of`
-- Only what may be staged counts as a request.
-- Crash window: a batch whose API process died holds its entry until the lease is over.

local stem, id, entry = ARGV[1], ARGV[2], ARGV[9]
local lease_end = now + tonumber(ARGV[8])
local tenant, per_minute = ARGV[3], tonumber(ARGV[13])
local used = call('HMGET', TENANT .. tenant, 'requests', 'requests_at', 'waiting:batch', 'stored_bytes')
local requests = leak(used[1], used[2], per_minute)

local stopped = stop_of(tenant, ARGV[11], math.huge)
if stopped then
  return { 'stopped', rate_of(requests, per_minute), stopped }
end
local held = entry ~= '' and call('GET', IDEMPOTENCY .. entry)
if held then
  local digest, holder = held:match('^(%S+) (%S+)$')
  if digest ~= '-' then
    return { 'known', rate_of(requests, per_minute), digest, holder }
  end
  local other = holder:sub(7, 28)
  local staging = call('HGET', BATCH .. other, 'status') == 'staging'
  if holder ~= id and staging and number(call('ZSCORE', BATCH_DUE, other), 0) > now then
    return { 'in_progress', rate_of(requests, per_minute) }
  end
end
if call('HGET', BATCH .. stem, 'status') == 'staging' then
  return { 'staging', rate_of(requests, per_minute) }
end
local excess = requests + UNIT - per_minute * UNIT
if excess > 0 then
  return { 'rate_limited', rate_of(requests, per_minute), math.ceil(excess / per_minute) }
end
local waiting = number(used[3], 0)
if waiting >= tonumber(ARGV[14]) then
  return { 'too_many_queued', rate_of(requests, per_minute), waiting }
end
local stored = number(used[4], 0)
if stored + RECORD_BYTES > tonumber(ARGV[16]) then
  return { 'too_many_stored_bytes', rate_of(requests, per_minute), stored }
end
requests = requests + UNIT
call('HSET', TENANT .. tenant, 'requests', requests, 'requests_at', now, 'stored_bytes', stored + RECORD_BYTES)
if entry ~= '' then
  call('SET', IDEMPOTENCY .. entry, '- ' .. id, 'PX', ARGV[10])
end
call('HSET', BATCH .. stem, 'id', id, 'tenant', tenant, 'provider', ARGV[4], 'credential', ARGV[5], 'status', 'staging', 'platform_key', ARGV[11], 'begun', now)
local optional = { 'parent', ARGV[6], 'sandbox', ARGV[7], 'idempotency', entry, 'fingerprint', ARGV[12], 'traceparent', ARGV[15] }
for i = 1, #optional, 2 do
  if optional[i + 1] ~= '' then
    call('HSET', BATCH .. stem, optional[i], optional[i + 1])
  end
end
call('SET', STORED_BYTES .. stem .. ':' .. tenant, RECORD_BYTES)
call('ZADD', STORED_UNTIL, now + BATCH_LOOK_MS, stem .. ':' .. tenant)
call('ZADD', BATCH_DUE, lease_end, stem)
return { 'staging', rate_of(requests, per_minute) }
