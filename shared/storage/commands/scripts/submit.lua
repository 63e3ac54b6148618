-- submit: accepts one job. Either all of it stands or nothing; called again with the same id it changes nothing.
--
-- In:  1 id, 2 tenant, 3 lane, 4 class, 5 upstream, 6 provider, 7 model, 8 credential, 9 deadline ms, 10 timeout ms,
--      11 request JSON, 12 sealed key ('' none), 13 metadata JSON ('' none), 14 sandbox ('1' or ''), 15 API process that waits ('' none),
--      16 most hand-offs to make, 17 idempotency entry ('' none), 18 digests that stand for the request, the one to store first, 19 ms that the entry stays,
--      20 platform key that asks, 21 fingerprint of the user's key ('' none), 22 webhook as `record_event` takes it ('' none), 23 most requests a minute, 24 most waiting jobs of the class,
--      25 traceparent ('' none), 26 tokens that a call of it may use, 27 nano-dollars that a call of it can cost at most ('' no budget), 28 budget of the month,
--      29 whether it is refused unless it was accepted before ('1' or ''), 30 retention ms, 31 most bytes of the tenant that may be stored
-- Out: {'accepted', rate, id, accepted at ms, wait reason, position, {hand-offs}}, or
--      {'replayed', rate, id of the first job, what `view_job` answers} where the entry or the id is known, {'mismatch', rate} where the entry's request was another, {'refused', rate},
--      {'rate_limited', rate, ms until one is accepted}, {'too_many_queued', rate}, {'too_many_stored_bytes', rate, bytes stored, bytes of this one},
--      {'over_budget', rate, nano-dollars used, reserved}, {'stopped', rate, why as of `stop_of`}; `rate` as of `rate_of`
-- Only what is accepted counts toward a limit.
-- Crash window: the API may die before it adds the hand-offs to BullMQ; `reconcile` finds them.

local id, tenant, lane, class, upstream = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5]
local deadline = tonumber(ARGV[9])

read_scheduler()
local per_minute = tonumber(ARGV[23])
local used = call('HMGET', TENANT .. tenant, 'requests', 'requests_at', 'waiting:' .. class, 'stored_bytes')
local requests = leak(used[1], used[2], per_minute)

local stopped = stop_of(tenant, ARGV[20], math.huge)
if stopped then
  return { 'stopped', rate_of(requests, per_minute), stopped }
end
local first = ARGV[17] ~= '' and call('GET', IDEMPOTENCY .. ARGV[17])
if first then
  local digest, first_id = first:match('^(%S+) (%S+)$')
  if not (' ' .. ARGV[18] .. ' '):find(' ' .. digest .. ' ', 1, true) then
    return { 'mismatch', rate_of(requests, per_minute) }
  end
  return { 'replayed', rate_of(requests, per_minute), first_id, view_job(first_id, tenant, ARGV[15], true) }
end
if call('EXISTS', JOB .. id) == 1 then
  return { 'replayed', rate_of(requests, per_minute), id, view_job(id, tenant, ARGV[15], true) }
end

if ARGV[29] ~= '' then
  return { 'refused', rate_of(requests, per_minute) }
end
local excess = requests + UNIT - per_minute * UNIT
if excess > 0 then
  return { 'rate_limited', rate_of(requests, per_minute), math.ceil(excess / per_minute) }
end
local waiting = number(used[3], 0)
if waiting >= tonumber(ARGV[24]) then
  return { 'too_many_queued', rate_of(requests, per_minute) }
end
local stored, bytes = number(used[4], 0), RECORD_BYTES + #ARGV[11] + #ARGV[13] + #ARGV[22]
if stored + bytes > tonumber(ARGV[31]) then
  return { 'too_many_stored_bytes', rate_of(requests, per_minute), stored, bytes }
end
local reservation = ''
if ARGV[27] ~= '' then
  local made, spent, reserved = reserve(tenant, ARGV[8], month_of(now), tonumber(ARGV[27]), tonumber(ARGV[28]))
  if not made then
    return { 'over_budget', rate_of(requests, per_minute), spent, reserved }
  end
  reservation = made
end
requests = requests + UNIT
call('HSET', TENANT .. tenant, 'requests', requests, 'requests_at', now, 'waiting:' .. class, waiting + 1, 'stored_bytes', stored + bytes)
call('HINCRBY', SCHEDULER, 'waiting:' .. class, 1)

keep_lane(lane, tenant, class, upstream, deadline)
local ticket = call('HINCRBY', LANE .. lane, 'tail', 1)
local record = {
  'tenant', tenant, 'lane', lane, 'provider', ARGV[6], 'model', ARGV[7], 'credential', ARGV[8],
  'status', 'queued', 'created', now, 'deadline', ARGV[9], 'timeout', ARGV[10], 'ticket', ticket, 'platform_key', ARGV[20], 'tokens', ARGV[26],
  'held', enter_bytes(tenant, bytes, deadline + ARGV[30], #ARGV[11]),
}
local optional = { 'metadata', ARGV[13], 'sandbox', ARGV[14], 'fingerprint', ARGV[21], 'webhook', ARGV[22], 'traceparent', ARGV[25], 'class', class == 'batch' and class or '',
  'estimate', ARGV[27], 'reservation', reservation }
for i = 1, #optional, 2 do
  if optional[i + 1] ~= '' then
    record[#record + 1] = optional[i]
    record[#record + 1] = optional[i + 1]
  end
end
call('HSET', JOB .. id, unpack(record))
call('SET', REQUEST .. id, ARGV[11])
if ARGV[12] ~= '' then
  call('SET', SEALED .. id, ARGV[12], 'PXAT', deadline + 60000)
end
if ARGV[17] ~= '' then
  call('SET', IDEMPOTENCY .. ARGV[17], ARGV[18]:match('^%S+') .. ' ' .. id, 'PX', ARGV[19])
end
call('ZADD', DEADLINES, deadline, id)
call('XADD', JOBS .. tenant, '*', 'id', id)

call('RPUSH', LANE_NEW .. lane, id)
enter_lane(lane)

watch(id, ARGV[15])

local handoffs = feed(tonumber(ARGV[16]))
local reason, position = place_of(id, tenant, lane, ticket, false)
return { 'accepted', rate_of(requests, per_minute), id, now, reason, position, handoffs }
