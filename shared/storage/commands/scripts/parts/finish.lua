-- release and finish: the two ends of a job's stay, used by every script that ends one.

local JOB_FIELDS = {
  'tenant', 'provider', 'model', 'credential', 'lane', 'status', 'attempts', 'charge', 'slot_since', 'ticket', 'platform_key', 'fingerprint', 'webhook', 'class', 'taken',
  'estimate', 'reservation', 'held',
}
local J = {
  tenant = 1, provider = 2, model = 3, credential = 4, lane = 5, status = 6, attempts = 7, charge = 8, slot_since = 9, ticket = 10,
  platform_key = 11, fingerprint = 12, webhook = 13, class = 14, taken = 15,
  estimate = 16, reservation = 17, held = 18,
}

local function read_job(id)
  return call('HMGET', JOB .. id, unpack(JOB_FIELDS))
end

local function class_of(job)
  return job[J.class] or 'interactive'
end

-- Gives the job's place in the window back and corrects its tenant's charge; false where it holds none.
local function release(id, job)
  if call('HDEL', INFLIGHT, id) == 0 then
    return false
  end
  local tenant, lane = job[J.tenant], job[J.lane]
  call('HINCRBY', TENANT .. tenant, 'inflight', -1)
  call('HINCRBY', SCHEDULER, 'released', 1)
  local held_ms = job[J.slot_since] and now - tonumber(job[J.slot_since]) or 0
  local row = call('HMGET', LANE .. lane, 'class', 'upstream', 'average')
  local average = number(row[3], FIRST_CHARGE_MS)
  if row[2] then
    if row[1] == 'batch' then
      scheduler.batch_inflight = call('HINCRBY', SCHEDULER, 'batch_inflight', -1)
    end
    if job[J.slot_since] then
      average = row[3] and average + (held_ms - average) / 8 or held_ms
      call('HSET', LANE .. lane, 'average', average)
    end
    call('HINCRBY', UPSTREAM .. row[2], 'inflight', -1)
    return_capped_lanes(row[2])
  end
  call('HDEL', JOB .. id, 'slot_since')
  if job[J.taken] then
    correct_tokens(id, tenant, job[J.taken], 0)
  end

  local weight = number(call('HGET', TENANT .. tenant, 'weight'), 1)
  local correction = held_ms / weight - number(job[J.charge], 0)
  local start = call('ZSCORE', READY, tenant)
  if start then
    -- A refund never puts a tenant before a newcomer, who starts at the virtual time: after a wrong guess of many jobs, it would wait for all of them.
    local earliest = scheduler.virtual + 1
    place_tenant(tenant, math.max(start + correction, math.min(start, earliest)))
  else
    call('HINCRBYFLOAT', TENANT .. tenant, 'own', correction)
    place_tenant(tenant)
  end
  return true
end

-- A call that was made costs what it reported or, where that is unknown (''), what was estimated. `charged`: its estimate was charged before, and this is what it cost after all.
local function charge_call(id, job, cost, charged)
  local tenant, ledger, reservation = job[J.tenant], job[J.credential], job[J.reservation]
  local estimate = number(job[J.estimate], 0)
  local nano = number(cost, estimate) - (charged and estimate or 0)
  if not charged and reservation then
    job[J.reservation] = unreserve(id, tenant, ledger, reservation)
  end
  if nano == 0 then
    return
  end
  local month = reservation and reservation:match('^[^|]*') or month_of(now)
  spend(tenant, ledger, month, nano, reservation and cap_of(tenant, ledger))
  local missed = number(cost, 0) - estimate
  if reservation and missed > 0 then
    call('HINCRBY', JOB .. id, 'missed', missed)
    add_to_budget(BUDGET .. tenant .. ':' .. month, ledger .. ':missed', missed)
  end
end

-- Whether the call that is to be made now has a reservation that the cap, which may have been lowered, still covers, or needs none.
local function reserve_call(id, job)
  local tenant, ledger, reservation = job[J.tenant], job[J.credential], job[J.reservation]
  if not job[J.estimate] then
    return true
  end
  local month = reservation and reservation:match('^[^|]*') or month_of(now)
  local cap = cap_of(tenant, ledger)
  if reservation and not reservation:match('|$') then
    return (covers(tenant, ledger, month, 0, cap))
  end
  reservation = reserve(tenant, ledger, month, tonumber(job[J.estimate]), cap)
  if not reservation then
    return false
  end
  call('HSET', JOB .. id, 'reservation', reservation)
  job[J.reservation] = reservation
  return true
end

-- Makes a job final: from here its record only grows older, that of a line with its batch. `fields` are set with the state; `stored`: bytes of the result and of long ones of them (nil none).
local function finish(id, job, status, retention_ms, fields, stored)
  local lane = job[J.lane]
  if not release(id, job) then
    count_waiting(job[J.tenant], class_of(job), -1)
  end
  if job[J.reservation] then
    unreserve(id, job[J.tenant], job[J.credential], job[J.reservation])
  end
  call('ZREM', DELAYED, id)
  call('ZREM', LANE_BACK .. lane, id)
  call('SREM', CANCELLING, id)
  local stem = batch_of(id)
  if not stem then
    local ends = now + retention_ms
    fields[#fields + 1] = 'retained'
    fields[#fields + 1] = ends
    if job[J.held] then
      fields[#fields + 1] = 'held'
      fields[#fields + 1] = move_bytes(job[J.tenant], job[J.held], stored or 0, ends)
    end
  end
  call('HSET', JOB .. id, 'status', status, 'finished', now, unpack(fields))
  announce(id, status)
  count(job, stem, { requests = 1, [status] = 1 })
  if stem then
    call('DEL', WATCHERS .. id)
    local freed = finish_line(stem, id, status, job[J.status] == 'in_progress', retention_ms)
    change_batch_bytes(stem, job[J.tenant], (stored or 0) - freed)
    return
  end
  call('DEL', REQUEST .. id, SEALED .. id, WATCHERS .. id)
  call('ZREM', DEADLINES, id)
  if not record_event(job[J.tenant], id, 'job.' .. status, job[J.webhook]) then
    call('PEXPIRE', JOB .. id, retention_ms)
  end
end

-- Whether the operator stopped the work that a job is of.
local function is_stopped(id, job)
  return stop_of(job[J.tenant], job[J.platform_key], call('HGET', JOB .. id, 'created')) ~= nil
end

-- Ends a job that was cancelled, by its tenant or by the operator.
local function finish_cancelled(id, job, retention_ms)
  finish(id, job, 'cancelled', retention_ms, is_stopped(id, job) and { 'error', STOPPED } or {})
end

-- An attempt's row: `started|finished|outcome|provider request id|claim`; finished and outcome are empty while it is open.
local function read_attempt(id, number_of)
  local row = call('HGET', JOB .. id, 'attempt:' .. number_of)
  if not row then
    return nil
  end
  local started, finished, outcome, request_id, claim = row:match('^(.-)|(.-)|(.-)|(.-)|(.*)$')
  return { started = started, finished = finished, outcome = outcome, request_id = request_id, claim = claim }
end

local function audit_attempt(kind, id, job, number_of, decision, ...)
  audit(kind, job[J.tenant], job[J.platform_key] or '', id, tonumber(number_of), job[J.provider], job[J.model], job[J.credential], job[J.fingerprint] or '',
    decision, ...)
end

-- `decision`: what becomes of the job by it; `code`: of the error that it ends with ('' none).
local function close_attempt(id, job, number_of, attempt, outcome, request_id, decision, code)
  call('HSET', JOB .. id, 'attempt:' .. number_of,
    attempt.started .. '|' .. now .. '|' .. outcome .. '|' .. request_id .. '|' .. attempt.claim)
  audit_attempt('attempt_ended', id, job, number_of, decision, outcome, code)
end

-- The attempt that a lost worker left open, if there is one, is marked `unknown`; it may still report.
local function close_lost_attempt(id, job, decision)
  local last = read_attempt(id, number(job[J.attempts], 0))
  if last and last.outcome == '' then
    close_attempt(id, job, job[J.attempts], last, 'unknown', '', decision, '')
    charge_call(id, job, '', false)
    return true
  end
  return false
end

-- An attempt that reports after the end changes the record; its event tells the same at every attempt to deliver it. What it told is kept as `told:<field>`.
local function keep_told(id, number_of)
  local fields = { 'attempt:' .. number_of, 'billed_input', 'billed_output', 'billed_cached', 'billed_nano', 'unpriced', 'price_version' }
  local values = call('HMGET', JOB .. id, unpack(fields))
  for i = 1, #fields do
    call('HSETNX', JOB .. id, 'told:' .. fields[i], values[i] or '')
  end
end
