-- publish: makes a staged batch one that runs, with all its lines, in one step. Called again it
-- changes nothing.
--
-- In:  stem; tenant; deadline_ms; sealed_key ('' none); metadata: JSON ('' none); webhook: as
--      `Outbox.record_event` takes it ('' none); errors: of lines left out, as JSON ('' none); skipped: how
--      many were left out; digest: of the request; idempotency_ms: life of the entry; max_queued: lines of
--      the tenant that may wait; max_handoffs; lanes: model and upstream of each (≤ 64)
-- Out: {'published', what `Views.batch` answers, {hand-offs}}, {'too_many_queued', lines that
--      wait}, {'stopped', why as of `Stops.reason_of`}, or {'lost'} where the batch is not being
--      staged any more
-- Crash window: the API may die before it adds the hand-offs to BullMQ; `reconcile` finds them.

local stem, tenant, deadline = input.stem, input.tenant, input.deadline_ms
local row = call('HMGET', BATCH .. stem, 'status', 'id', 'total', 'idempotency', 'published', 'platform_key', 'begun')
if row[5] then
  return { 'published', Views.batch(stem, tenant, ''), {} }
end
if row[1] ~= 'staging' or row[4] and call('GET', IDEMPOTENCY .. row[4]) ~= '- ' .. row[2] then
  return { 'lost' }
end
local stopped = Stops.reason_of(tenant, row[6], row[7])
if stopped then
  return { 'stopped', stopped }
end
local waiting = number(call('HGET', TENANT .. tenant, 'waiting:batch'), 0)
if waiting + row[3] > input.max_queued then
  return { 'too_many_queued', waiting }
end

Lanes.read_scheduler()
local record = {
  status = 'in_progress',
  published = now,
  deadline = input.deadline_ms,
  unfinished = row[3],
  lanes = #input.lanes / 2,
  skipped = input.skipped,
  entry = call('XADD', BATCHES .. tenant, '*', 'id', row[2]),
  metadata = input.metadata,
  webhook = input.webhook,
  errors = input.errors,
}
for i = 1, #input.lanes, 2 do
  local n = (i - 1) / 2
  local lane = stem .. '.' .. n
  record['model:' .. n] = input.lanes[i]
  Lanes.keep_lane(lane, tenant, 'batch', input.lanes[i + 1], deadline)
  -- Upkeep that comes late must still find all that waits: the lane goes with its batch.
  call('PERSIST', LANE .. lane)
  Lanes.enter_lane(lane)
end
Records.write(BATCH .. stem, record)
-- Its lines passed the limit; beside them this is little.
Bytes.change_batch(stem, tenant, #input.metadata + #input.webhook + #input.errors)
Limits.count_waiting(tenant, 'batch', row[3])
if input.sealed_key ~= '' then
  call('SET', SEALED .. stem, input.sealed_key, 'PXAT', deadline + 60000)
end
if row[4] then
  call('SET', IDEMPOTENCY .. row[4], input.digest .. ' ' .. row[2], 'PX', input.idempotency_ms)
end
call('ZADD', BATCH_DUE, deadline, stem)
return { 'published', Views.batch(stem, tenant, ''), Feed.serve(input.max_handoffs) }
