-- Jobs: their record, their attempts, and the end of their stay, used by every command that ends one.

local Jobs = {}

local JOB_FIELDS = {
  'tenant',
  'provider',
  'model',
  'credential',
  'lane',
  'status',
  'attempts',
  'charge',
  'slot_since',
  'ticket',
  'platform_key',
  'fingerprint',
  'webhook',
  'class',
  'taken',
  'estimate',
  'reservation',
  'held',
  'needs',
  'streamed',
}
-- The record's fields that follow, by name; each false if it is absent.
function Jobs.read(id)
  local values, record = call('HMGET', JOB .. id, unpack(JOB_FIELDS)), {}
  for i = 1, #JOB_FIELDS do
    record[JOB_FIELDS[i]] = values[i]
  end
  return record
end

local function class_of(job)
  return job.class or 'interactive'
end

-- Gives the job's place in the window back and corrects its tenant's charge; false where it holds none.
local function release(id, job)
  if call('HDEL', INFLIGHT, id) == 0 then
    return false
  end
  local tenant, lane = job.tenant, job.lane
  call('HINCRBY', TENANT .. tenant, 'inflight', -1)
  call('HINCRBY', SCHEDULER, 'released', 1)
  local held_ms = job.slot_since and now - tonumber(job.slot_since) or 0
  local row = call('HMGET', LANE .. lane, 'class', 'upstream', 'average')
  local average = number(row[3], Lanes.FIRST_CHARGE_MS)
  if row[2] then
    if row[1] == 'batch' then
      scheduler.batch_inflight = call('HINCRBY', SCHEDULER, 'batch_inflight', -1)
    end
    if job.slot_since then
      average = row[3] and average + (held_ms - average) / 8 or held_ms
      call('HSET', LANE .. lane, 'average', average)
    end
    call('HINCRBY', UPSTREAM .. row[2], 'inflight', -1)
    Lanes.return_capped_lanes(row[2])
  end
  call('HDEL', JOB .. id, 'slot_since')
  if job.taken then
    Limits.correct_tokens(id, tenant, job.taken, 0)
  end

  local weight = number(call('HGET', TENANT .. tenant, 'weight'), 1)
  local correction = held_ms / weight - number(job.charge, 0)
  local start = call('ZSCORE', READY, tenant)
  if start then
    -- A refund never puts a tenant before a newcomer, who starts at the virtual time: after a wrong
    -- guess of many jobs, it would wait for all of them.
    local earliest = scheduler.virtual + 1
    Lanes.place_tenant(tenant, math.max(start + correction, math.min(start, earliest)))
  else
    call('HINCRBYFLOAT', TENANT .. tenant, 'own', correction)
    Lanes.place_tenant(tenant)
  end
  return true
end

-- A call that was made costs what it reported or, where that is unknown (''), what was estimated.
-- `charged`: its estimate was charged before, and this is what it cost after all.
function Jobs.charge_call(id, job, cost, charged)
  local tenant, ledger, reservation = job.tenant, job.credential, job.reservation
  local estimate = number(job.estimate, 0)
  local nano = number(cost, estimate) - (charged and estimate or 0)
  if not charged and reservation then
    job.reservation = Budgets.unreserve(id, tenant, ledger, reservation)
  end
  if nano == 0 then
    return
  end
  local month = reservation and reservation:match('^[^|]*') or Calendar.month_of(now)
  Budgets.spend(tenant, ledger, month, nano, reservation and Budgets.cap_of(tenant, ledger))
  local missed = number(cost, 0) - estimate
  if reservation and missed > 0 then
    call('HINCRBY', JOB .. id, 'missed', missed)
    Budgets.add(BUDGET .. tenant .. ':' .. month, ledger .. ':missed', missed)
  end
end

-- Whether the call that is to be made now has a reservation that the cap, which may have been
-- lowered, still covers, or needs none.
function Jobs.reserve_call(id, job)
  local tenant, ledger, reservation = job.tenant, job.credential, job.reservation
  if not job.estimate then
    return true
  end
  local month = reservation and reservation:match('^[^|]*') or Calendar.month_of(now)
  local cap = Budgets.cap_of(tenant, ledger)
  if reservation and not reservation:match('|$') then
    return (Budgets.covers(tenant, ledger, month, 0, cap))
  end
  reservation = Budgets.reserve(tenant, ledger, month, tonumber(job.estimate), cap)
  if not reservation then
    return false
  end
  call('HSET', JOB .. id, 'reservation', reservation)
  job.reservation = reservation
  return true
end

-- Makes a job final: from here its record only grows older, that of a line with its batch. `fields`
-- are set with the state; `stored`: bytes of the result and of long ones of them (nil none).
function Jobs.finish(id, job, status, retention_ms, fields, stored)
  local lane = job.lane
  if not release(id, job) then
    Limits.count_waiting(job.tenant, class_of(job), -1)
  end
  if job.reservation then
    Budgets.unreserve(id, job.tenant, job.credential, job.reservation)
  end
  call('ZREM', DELAYED, id)
  call('ZREM', LANE_BACK .. lane, id)
  call('SREM', CANCELLING, id)
  local stem = Lines.batch_of(id)
  if not stem then
    local ends = now + retention_ms
    fields.retained = ends
    fields.held = job.held and Bytes.move(job.tenant, job.held, stored or 0, ends)
  end
  fields.status, fields.finished = status, now
  Records.write(JOB .. id, fields)
  News.announce(id, status)
  Usage.count(job, stem, { requests = 1, [status] = 1 })
  if stem then
    call('DEL', WATCHERS .. id)
    local freed = Batches.finish_line(stem, id, status, job.status == 'in_progress', retention_ms)
    Bytes.change_batch(stem, job.tenant, (stored or 0) - freed)
    return
  end
  call('UNLINK', REQUEST .. id, REQUEST_BODY .. id, SEALED .. id, WATCHERS .. id)
  if job.streamed then
    Events.let_go(id, job.attempts or 0)
  end
  call('ZREM', DEADLINES, id)
  if not Outbox.record_event(job.tenant, id, 'job.' .. status, job.webhook) then
    call('PEXPIRE', JOB .. id, retention_ms)
  end
end

-- Whether the operator stopped the work that a job is of.
function Jobs.is_stopped(id, job)
  return Stops.reason_of(job.tenant, job.platform_key, call('HGET', JOB .. id, 'created')) ~= nil
end

-- Ends a job that was cancelled, by its tenant or by the operator.
function Jobs.finish_cancelled(id, job, retention_ms)
  Jobs.finish(id, job, 'cancelled', retention_ms, { error = Jobs.is_stopped(id, job) and Stops.STOPPED })
end

-- A waiting job is final at once ('cancelled'); a running one is flagged, and its worker aborts the
-- call ('requested').
function Jobs.cancel(id, job, retention_ms)
  if job.status == 'in_progress' then
    call('SADD', CANCELLING, id)
    call('PUBLISH', ABORTS, id)
    return 'requested'
  end
  Jobs.finish_cancelled(id, job, retention_ms)
  return 'cancelled'
end

-- An attempt's row: `started|finished|outcome|provider request id|claim`, and what later releases
-- add behind that;
-- finished and outcome are empty while it is open.
function Jobs.read_attempt(id, number_of)
  local row = call('HGET', JOB .. id, 'attempt:' .. number_of)
  if not row then
    return nil
  end
  local started, finished, outcome, request_id, claim, more = row:match('^(.-)|(.-)|(.-)|(.-)|([^|]*)(.*)$')
  return {
    started = started,
    finished = finished,
    outcome = outcome,
    request_id = request_id,
    claim = claim,
    more = more,
  }
end

function Jobs.audit_attempt(kind, id, job, number_of, decision, ...)
  Audit.append(
    kind,
    job.tenant,
    job.platform_key or '',
    id,
    tonumber(number_of),
    job.provider,
    job.model,
    job.credential,
    job.fingerprint or '',
    decision,
    ...
  )
end

-- `decision`: what becomes of the job by it; `code`: of the error that it ends with ('' none).
function Jobs.close_attempt(id, job, number_of, attempt, outcome, request_id, decision, code)
  call(
    'HSET',
    JOB .. id,
    'attempt:' .. number_of,
    attempt.started .. '|' .. now .. '|' .. outcome .. '|' .. request_id .. '|' .. attempt.claim .. attempt.more
  )
  Jobs.audit_attempt('attempt_ended', id, job, number_of, decision, outcome, code)
end

-- The attempt that a lost worker left open, if there is one, is marked `unknown`; it may still report.
function Jobs.close_lost_attempt(id, job, decision)
  local last = Jobs.read_attempt(id, number(job.attempts, 0))
  if last and last.outcome == '' then
    Jobs.close_attempt(id, job, job.attempts, last, 'unknown', '', decision, '')
    Jobs.charge_call(id, job, '', false)
    return true
  end
  return false
end

-- A job whose attempt is over waits again: until `due` (ms), or at once in its place.
function Jobs.put_back(id, job, due)
  call('HSET', JOB .. id, 'status', 'queued')
  if job.status == 'in_progress' then
    Lines.count_running(id, -1)
  end
  release(id, job)
  Limits.count_waiting(job.tenant, class_of(job), 1)
  if due then
    call('ZADD', DELAYED, due, id)
  else
    Lanes.return_to_lane(id, job.lane, job.ticket)
  end
  News.announce(id, 'queued')
end

-- The first thing that a job needs and a worker lacks; nil if there is none. Both are names with
-- spaces between.
function Jobs.lacking(needs, abilities)
  for need in (needs or ''):gmatch('%S+') do
    if not (' ' .. abilities .. ' '):find(' ' .. need .. ' ', 1, true) then
      return need
    end
  end
  return nil
end

-- An attempt that reports after the end changes the record; its event tells the same at every
-- attempt to deliver it. What it told is kept as `told:<field>`.
function Jobs.keep_told(id, number_of)
  local fields = {
    'attempt:' .. number_of,
    'billed_input',
    'billed_output',
    'billed_cached',
    'billed_nano',
    'unpriced',
    'price_version',
  }
  local values = call('HMGET', JOB .. id, unpack(fields))
  for i = 1, #fields do
    call('HSETNX', JOB .. id, 'told:' .. fields[i], values[i] or '')
  end
end

-- What stays of an erased job, for as long as an attempt of it may still report usage. If the job counted as
-- stored, so does its stub until it is gone: to delete must not make room that is not there.
function Jobs.leave_stub(id, tenant, counted, stub_ms)
  call('UNLINK', RESULT .. id, ANSWER .. id)
  if call('EXISTS', JOB .. id) == 0 then
    return
  end
  call('HDEL', JOB .. id, 'metadata', 'detail', 'webhook', 'held', 'warnings')
  call('HSET', JOB .. id, 'erased', 1)
  if counted then
    Bytes.change(tenant, Bytes.RECORD_BYTES)
    call('HSET', JOB .. id, 'held', Bytes.enter(tenant, Bytes.RECORD_BYTES, now + stub_ms, 0))
  end
  call('PEXPIRE', JOB .. id, stub_ms)
end

-- `held`: the bytes of a job of its own (nil none).
function Jobs.forget(id, tenant, held, stub_ms)
  if held then
    Bytes.forget(tenant, held)
  end
  Jobs.leave_stub(id, tenant, held, stub_ms)
end

return Jobs
