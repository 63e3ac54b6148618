-- claim: a worker takes a hand-off and opens an attempt, before anything is sent to a provider;
-- from here on its credential counts as used.
--
-- In:  id; handoff; claim: the worker's own mark of this try (the same call sent again after a lost answer
--      gets the same attempt); max_crashes; retention_ms; max_attempts: of any outcome; abilities: what
--      jobs may need that this worker can do, with spaces between
-- Out: {'refused', reason, {hand-offs}} where the hand-off is not the current one or the job
--      is final, was cancelled or stopped, expired, crashed or was tried too often, has no budget
--      for the call, or needs what the worker lacks, or
--      {'claimed', attempt, tenant, provider, model, credential, deadline, timeout, failures,
--      throttles, times in a row apart, strikes, request, sealed key ('' none), traceparent (''
--      none), batch ('' none), format, forwarded headers as JSON ('' none), '1' if it is streamed}
-- Crash window: a worker that dies after this leaves an open attempt; the next claim marks it
-- `unknown` and counts a crash.

-- So soon another worker may be handed what this one cannot do.
local LACKING_AGAIN_MS = 1000

local id, handoff, claim = input.id, input.handoff, input.claim
local retention = input.retention_ms

local job = Jobs.read(id)
local inflight = call('HGET', INFLIGHT, id)
if not job.status or not inflight or inflight:match('^(%d+):') ~= handoff then
  return { 'refused', 'stale', {} }
end
Lanes.read_scheduler()

local row = call(
  'HMGET',
  JOB .. id,
  'deadline',
  'timeout',
  'failures',
  'started',
  'traceparent',
  'throttles',
  'throttled',
  'format',
  'forwarded'
)
local last = Jobs.read_attempt(id, number(job.attempts, 0))
local attempt = number(job.attempts, 0)

if last and last.outcome == '' and last.claim ~= claim then
  Jobs.close_lost_attempt(id, job, 'lost')
  local crashes = call('HINCRBY', JOB .. id, 'crashes', 1)
  if crashes >= input.max_crashes then
    Jobs.finish(id, job, 'failed', retention, { error = 'internal_error' })
    return { 'refused', 'crashed', Feed.serve(4) }
  end
  if job.streamed and Events.has_begun(id, job.attempts) then
    Jobs.finish(id, job, 'failed', retention, { error = 'stream_interrupted' })
    return { 'refused', 'crashed', Feed.serve(4) }
  end
end
local stem = Lines.batch_of(id)
local batch = stem and call('HMGET', BATCH .. stem, 'id', 'stopped_as') or {}
if call('SISMEMBER', CANCELLING, id) == 1 or batch[2] == 'cancelled' or Jobs.is_stopped(id, job) then
  Jobs.finish_cancelled(id, job, retention)
  return { 'refused', 'cancelled', Feed.serve(4) }
end
if tonumber(row[1]) <= now then
  Jobs.finish(id, job, 'expired', retention, { error = 'deadline_exceeded' })
  return { 'refused', 'expired', Feed.serve(4) }
end

if not (last and last.outcome == '' and last.claim == claim) then
  if attempt >= input.max_attempts then
    Jobs.finish(id, job, 'failed', retention, { error = 'internal_error' })
    return { 'refused', 'crashed', Feed.serve(4) }
  end
  local lacking = Jobs.lacking(job.needs, input.abilities)
  if lacking then
    -- Untouched, for a worker that can.
    call('HSET', JOB .. id, 'lacking', lacking)
    Jobs.put_back(id, job, now + LACKING_AGAIN_MS)
    return { 'refused', 'lacking', Feed.serve(4) }
  end
  if not Jobs.reserve_call(id, job) then
    Jobs.finish(id, job, 'failed', retention, { error = 'budget_exceeded' })
    return { 'refused', 'over_budget', Feed.serve(4) }
  end
  if job.needs then
    call('HDEL', JOB .. id, 'lacking')
  end
  attempt = call('HINCRBY', JOB .. id, 'attempts', 1)
  call('HSET', JOB .. id, 'attempt:' .. attempt, now .. '||||' .. claim, 'status', 'in_progress', 'slot_since', now)
  Jobs.audit_attempt('attempt_started', id, job, attempt, 'granted')
  if not row[4] then
    call('HSET', JOB .. id, 'started', now)
  end
  -- Only closed attempts that can no longer report are forgotten.
  local old = Jobs.read_attempt(id, attempt - 10)
  if old and old.outcome ~= 'unknown' then
    call('HDEL', JOB .. id, 'attempt:' .. (attempt - 10))
  end
  if job.status ~= 'in_progress' then
    Lines.count_running(id, 1)
  end
  News.announce(id, 'in_progress')
end

local upstream = call('HGET', LANE .. job.lane, 'upstream')
return {
  'claimed',
  attempt,
  job.tenant,
  job.provider,
  job.model,
  job.credential,
  row[1],
  row[2],
  number(row[3], 0),
  number(row[6], 0),
  upstream and Lanes.apart_of(row[7], upstream, true) or 0,
  number(upstream and call('HGET', UPSTREAM .. upstream, 'strikes'), 0),
  stem and Lines.read(id).request or call('GET', REQUEST .. id) or '',
  call('GET', SEALED .. (stem or id)) or '',
  row[5] or '',
  batch[1] or '',
  row[8] or 'neutral',
  row[9] or '',
  job.streamed or '',
}
