-- settle: an attempt is over. Accounts what it reported and either makes the job final or puts it
-- back; then hands off the next ids.
--
-- In:  id; attempt; claim; outcome; provider_request_id ('' none); next: completed | failed | cancelled |
--      expired, or retry | park | hand_back; wait_ms: until it is tried again, if it is retried or was
--      throttled; error ('' none); provider_status ('' none); detail ('' none); result: as it is
--      stored ('' none); media_type: of an answer in foreign words ('' none); answer_pieces: of it that were written before; result_bytes; events: entries of its list, if all of a streamed answer is there ('' not); reported: whether usage was; input_tokens, output_tokens, cached_input_tokens (each '' unknown);
--      cost_nano ('' unpriced); price_version; counts_as_failure; retention_ms; max_handoffs; billable:
--      whether the provider may bill the call; park_ms: how long its upstream is left alone, if it was
--      throttled
-- Out: {what became of it, {hand-offs}}: a final state, 'queued', 'superseded', 'late' (not
--      the current attempt: only accounted), 'repeated', 'gone', 'answer_lost' (nothing was done: its
--      pieces are to be written again)
--
-- A completed result of any attempt wins while the job is not final. Everything else acts only for
-- the current attempt.
-- Sent twice (the answer was lost) it acts once: the attempt is closed by then.

local id, number_of, claim, outcome, request_id, next_step =
  input.id, input.attempt, input.claim, input.outcome, input.provider_request_id, input.next
local retention = input.retention_ms

local job = Jobs.read(id)
local attempt = job.status and Jobs.read_attempt(id, number_of)
if not attempt then
  return { 'gone', {} }
end
if attempt.claim ~= claim or (attempt.outcome ~= '' and attempt.outcome ~= 'unknown') then
  return { 'repeated', {} }
end
if not Bodies.has_answer(id, number_of, input.answer_pieces) then
  return { 'answer_lost', {} }
end
Lanes.read_scheduler()
Lanes.wake(input.max_handoffs)

local current = job.status == 'in_progress' and job.attempts == number_of
local reported = input.reported
if FINAL[job.status] and job.webhook then
  Jobs.keep_told(id, number_of)
end
-- A whole answer without usage was paid for all the same: it is accounted with everything unknown.
if reported or (input.billable and (outcome == 'completed' or outcome == 'rejected')) then
  Usage.add_attempt(id, job, { input.input_tokens, input.output_tokens, input.cached_input_tokens, input.cost_nano })
end
if reported then
  -- What a late attempt was priced by says nothing of the result that was delivered.
  call(FINAL[job.status] and 'HSETNX' or 'HSET', JOB .. id, 'price_version', input.price_version)
end

local was_charged = attempt.outcome == 'unknown'
if reported or input.billable or outcome == 'unknown' then
  -- Where something is unknown, what was taken and estimated for the call stands.
  Jobs.charge_call(id, job, input.cost_nano, was_charged)
  if job.taken then
    local known = input.input_tokens ~= '' and input.output_tokens ~= ''
    Limits.correct_tokens(id, job.tenant, job.taken, known and input.input_tokens + input.output_tokens or job.taken)
    job.taken = false
  end
elseif was_charged and outcome ~= 'cancelled' then
  -- Charged when its worker was lost, and refused by the provider all the same.
  Jobs.charge_call(id, job, 0, true)
end

if FINAL[job.status] then
  Jobs.close_attempt(
    id,
    job,
    number_of,
    attempt,
    (reported or outcome == 'completed') and 'superseded' or outcome,
    request_id,
    'superseded',
    input.error
  )
  return { 'superseded', {} }
end

-- What the client has seen of one answer is not gone on with from another.
local is_other_shown = job.streamed and not current and Events.has_begun(id, job.attempts)
if next_step == 'completed' and is_other_shown then
  Jobs.close_attempt(id, job, number_of, attempt, 'superseded', request_id, 'superseded', '')
  return { 'late', {} }
end
if next_step == 'completed' then
  Jobs.close_attempt(id, job, number_of, attempt, outcome, request_id, 'completed', '')
  if not current then
    -- Another attempt may be running for nothing by now; whether it comes to report is open.
    Jobs.close_lost_attempt(id, job, 'superseded')
    call('PUBLISH', ABORTS, id)
  end
  if Lines.batch_of(id) then
    call('SET', RESULT .. id, input.result)
  else
    call('SET', RESULT .. id, input.result, 'PX', retention)
    Bodies.keep_answer(id, number_of, input.answer_pieces, retention)
  end
  local upstream = call('HGET', LANE .. job.lane, 'upstream')
  if upstream then
    Lanes.relieve(upstream, job.lane, id, tonumber(attempt.started))
  end
  local figures = { input.input_tokens, input.output_tokens, input.cached_input_tokens, input.cost_nano }
  local used = reported and table.concat(figures, '|')
  Jobs.finish(
    id,
    job,
    'completed',
    retention,
    { used = used, media_type = input.media_type, events = input.events },
    input.result_bytes
  )
  return { 'completed', Feed.serve(input.max_handoffs) }
end

if not current then
  if outcome ~= 'cancelled' then
    Jobs.close_attempt(id, job, number_of, attempt, outcome, request_id, 'late', input.error)
  end
  return { 'late', {} }
end

local became = 'queued'
if FINAL[next_step] then
  became = next_step
elseif call('SISMEMBER', CANCELLING, id) == 1 or Batches.stopped_as(id) == 'cancelled' or Jobs.is_stopped(id, job) then
  became = 'cancelled'
end
Jobs.close_attempt(id, job, number_of, attempt, outcome, request_id, became, input.error)
local due = now + input.wait_ms
if outcome == 'throttled' then
  call('HINCRBY', JOB .. id, 'throttles', 1)
  -- The limit may hold for everyone of this lane or upstream, whatever becomes of this job.
  local upstream = call('HGET', LANE .. job.lane, 'upstream')
  if upstream then
    due = Lanes.throttle(upstream, job.lane, id, input.wait_ms, input.park_ms)
  end
else
  call('HDEL', JOB .. id, 'throttled')
end
if became == 'cancelled' then
  Jobs.finish_cancelled(id, job, retention)
  return { became, Feed.serve(input.max_handoffs) }
elseif FINAL[became] then
  local fields = { error = input.error, provider_status = input.provider_status, detail = input.detail }
  Jobs.finish(id, job, became, retention, fields, #input.detail)
  return { became, Feed.serve(input.max_handoffs) }
end

if input.counts_as_failure then
  call('HINCRBY', JOB .. id, 'failures', 1)
end
Jobs.put_back(id, job, (next_step == 'retry' or next_step == 'park') and due)
return { 'queued', Feed.serve(input.max_handoffs) }
