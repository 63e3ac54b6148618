-- submit: accepts one job. Either all of it stands or nothing; called again with the same id it
-- changes nothing.
--
-- In:  id; tenant; lane; class; upstream; provider; model; credential; deadline_ms; timeout_ms; request: as
--      it is stored; request_pieces: of it that were written before; request_bytes; format: of its words;
--      forwarded: headers for the provider, as JSON ('' none); sealed_key ('' none); metadata: JSON (''
--      none); sandbox; watcher: API process that waits ('' none); max_handoffs; idempotency_entry (''
--      none); digests: those that stand for the request, with spaces between, the one to store first;
--      idempotency_ms: life of the entry; platform_key: the one that asks; fingerprint: of the user's key
--      ('' none); webhook: as `Outbox.record_event` takes it ('' none); requests_per_minute; max_queued: of
--      the class; traceparent ('' none); tokens: that one call is likely to use; estimate_nano: the most
--      that one call can cost ('' no budget); budget_nano: of the month; refused: unless it was accepted
--      before; retention_ms; max_stored_bytes: of the tenant; needs: what its worker must be able to do,
--      with spaces between ('' nothing); warnings: JSON ('' none); streamed; waiter: the call that waits for
--      the job, as of `Waits` ('' none); hold_ms: how long it is held; if_left: as of `Waits` ('' neither);
--      awaited: entries in WAITED that stand for its request, with spaces between, the one to keep first;
--      repeats: whether it is sent again, and takes over a job of the same request that was left
-- Out: {'accepted', rate, id, accepted at ms, wait reason, position, {hand-offs}}, or
--      {'replayed', rate, id of the first job, what `Views.job` answers} where the entry or the id
--      is known, {'joined', …} likewise of a job that it takes over, {'mismatch', rate} where the entry's request was another, {'refused', rate},
--      {'over_budget', rate, nano-dollars used, reserved}, {'body_lost', rate} where pieces are gone,
--      or a refusal as of `Intake`; `rate` as of `Limits.rate_of`
-- Only what is accepted counts toward a limit.
-- Crash window: the API may die before it adds the hand-offs to BullMQ; `reconcile` finds them.

local id, tenant, lane, class, upstream = input.id, input.tenant, input.lane, input.class, input.upstream
local deadline = input.deadline_ms

Lanes.read_scheduler()
if input.request_pieces > 0 then
  Bodies.leave(id, tenant)
end
local use = Intake.use_of(tenant, class, {
  per_minute = input.requests_per_minute,
  queued = input.max_queued,
  stored = input.max_stored_bytes,
})
local stop = Intake.stop_of(use, tenant, input.platform_key)
if stop then
  return stop
end
local digest, first_id = Waits.first_of(input.idempotency_entry)
if first_id then
  if not (' ' .. input.digests .. ' '):find(' ' .. digest .. ' ', 1, true) then
    return { 'mismatch', use.rate }
  end
  if input.waiter ~= '' then
    Waits.let_in(first_id, input.platform_key)
    Waits.wait_on(first_id, input.waiter, input.hold_ms)
  end
  return { 'replayed', use.rate, first_id, Views.job(first_id, tenant, input.watcher, true) }
end
if call('EXISTS', JOB .. id) == 1 then
  return { 'replayed', use.rate, id, Views.job(id, tenant, input.watcher, true) }
end
local left = input.repeats and Waits.find_left(input.awaited, input.waiter)
if left then
  Waits.wait_on(left, input.waiter, input.hold_ms)
  return { 'joined', use.rate, left, Views.job(left, tenant, input.watcher, true) }
end

if input.refused then
  return { 'refused', use.rate }
end
local texts = #input.metadata + #input.webhook + #input.warnings
local bytes = Bytes.RECORD_BYTES + input.request_bytes + texts
local refusal = Intake.refusal_of(use, input.needs, bytes)
if refusal then
  return refusal
end
if not Bodies.has_request(id, input.request_pieces) then
  return { 'body_lost', use.rate }
end
local reservation = ''
if input.estimate_nano ~= '' then
  local made, spent, reserved = Budgets.reserve(
    tenant,
    input.credential,
    Calendar.month_of(now),
    tonumber(input.estimate_nano),
    tonumber(input.budget_nano)
  )
  if not made then
    return { 'over_budget', use.rate, spent, reserved }
  end
  reservation = made
end
local requests = use.requests + Limits.UNIT
Records.write(TENANT .. tenant, {
  requests = requests,
  requests_at = now,
  ['waiting:' .. class] = use.waiting + 1,
  stored_bytes = use.stored + bytes,
})
call('HINCRBY', SCHEDULER, 'waiting:' .. class, 1)

Lanes.keep_lane(lane, tenant, class, upstream, deadline)
local ticket = call('HINCRBY', LANE .. lane, 'tail', 1)
Records.write(JOB .. id, {
  tenant = tenant,
  lane = lane,
  provider = input.provider,
  model = input.model,
  credential = input.credential,
  status = 'queued',
  created = now,
  deadline = input.deadline_ms,
  timeout = input.timeout_ms,
  ticket = ticket,
  platform_key = input.platform_key,
  tokens = input.tokens,
  held = Bytes.enter(tenant, bytes, deadline + input.retention_ms, input.request_bytes),
  metadata = input.metadata,
  sandbox = input.sandbox and 1,
  fingerprint = input.fingerprint,
  webhook = input.webhook,
  traceparent = input.traceparent,
  class = class == 'batch' and class,
  estimate = input.estimate_nano,
  reservation = reservation,
  needs = input.needs,
  format = input.format ~= 'neutral' and input.format,
  forwarded = input.forwarded,
  warnings = input.warnings,
  streamed = input.streamed and 1,
  awaited = input.waiter ~= '' and (input.awaited:match('^%S+') or '-'),
  if_left = input.if_left,
})
call('SET', REQUEST .. id, input.request)
Bodies.keep_request(id, input.request_pieces, deadline)
if input.sealed_key ~= '' then
  call('SET', SEALED .. id, input.sealed_key, 'PXAT', deadline + 60000)
end
if input.idempotency_entry ~= '' then
  call(
    'SET',
    IDEMPOTENCY .. input.idempotency_entry,
    input.digests:match('^%S+') .. ' ' .. id,
    'PX',
    input.idempotency_ms
  )
end
call('ZADD', DEADLINES, deadline, id)
call('XADD', JOBS .. tenant, '*', 'id', id)

call('RPUSH', LANE_NEW .. lane, id)
Lanes.enter_lane(lane)

News.watch(id, input.watcher)
if input.waiter ~= '' then
  Waits.wait_on(id, input.waiter, input.hold_ms)
end

local handoffs = Feed.serve(input.max_handoffs)
local reason, position = Views.place_of(id, tenant, lane, ticket, false)
return { 'accepted', Limits.rate_of(requests, input.requests_per_minute), id, now, reason, position, handoffs }
