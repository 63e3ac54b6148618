-- settle: an attempt is over. Accounts what it reported and either makes the job final or puts it back; then hands off the next ids.
--
-- In:  1 id, 2 attempt, 3 claim, 4 outcome of the attempt, 5 provider request id ('' none),
--      6 next: completed | failed | cancelled | expired, or retry | park | hand_back
--      7 ms until the job is tried again, where it is retried or was throttled, 8 error code ('' none), 9 provider status ('' none), 10 detail ('' none), 11 result JSON ('' none),
--      12 usage reported ('1' or ''), 13 input, 14 output, 15 cached (each '' unknown), 16 cost in nano-dollars ('' unpriced), 17 price version,
--      18 counts as a failure ('1' or ''), 19 retention ms, 20 most hand-offs to make,
--      21 the provider may bill the call ('1' or ''), 22 ms that its upstream is left alone, where it was throttled
-- Out: {what became of it, {hand-offs}}: a final state, 'queued', 'superseded', 'late' (not the current attempt: only accounted), 'repeated', 'gone'
--
-- A completed result of any attempt wins while the job is not final. Everything else acts only for the current attempt.
-- Sent twice (the answer was lost) it acts once: the attempt is closed by then.

local id, number_of, claim, outcome, request_id, next_step = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5], ARGV[6]
local retention = tonumber(ARGV[19])

local job = read_job(id)
local attempt = job[J.status] and read_attempt(id, number_of)
if not attempt then
  return { 'gone', {} }
end
if attempt.claim ~= claim or (attempt.outcome ~= '' and attempt.outcome ~= 'unknown') then
  return { 'repeated', {} }
end
read_scheduler()
wake(tonumber(ARGV[20]))

local current = job[J.status] == 'in_progress' and job[J.attempts] == number_of
local reported = ARGV[12] == '1'
if FINAL[job[J.status]] and job[J.webhook] then
  keep_told(id, number_of)
end
-- A whole answer without usage was paid for all the same: it is accounted with everything unknown.
if reported or (ARGV[21] == '1' and (outcome == 'completed' or outcome == 'rejected')) then
  account(id, job, { ARGV[13], ARGV[14], ARGV[15], ARGV[16] })
end
if reported then
  -- What a late attempt was priced by says nothing of the result that was delivered.
  call(FINAL[job[J.status]] and 'HSETNX' or 'HSET', JOB .. id, 'price_version', ARGV[17])
end

local was_charged = attempt.outcome == 'unknown'
if reported or ARGV[21] == '1' or outcome == 'unknown' then
  -- Where something is unknown, what was taken and estimated for the call stands.
  charge_call(id, job, ARGV[16], was_charged)
  if job[J.taken] then
    local known = ARGV[13] ~= '' and ARGV[14] ~= ''
    correct_tokens(id, job[J.tenant], job[J.taken], known and ARGV[13] + ARGV[14] or job[J.taken])
    job[J.taken] = false
  end
elseif was_charged and outcome ~= 'cancelled' then
  -- Charged when its worker was lost, and refused by the provider all the same.
  charge_call(id, job, 0, true)
end

if FINAL[job[J.status]] then
  close_attempt(id, job, number_of, attempt, (reported or outcome == 'completed') and 'superseded' or outcome, request_id, 'superseded', ARGV[8])
  return { 'superseded', {} }
end

local function final_fields()
  local fields = {}
  local optional = { 'error', ARGV[8], 'provider_status', ARGV[9], 'detail', ARGV[10] }
  for i = 1, #optional, 2 do
    if optional[i + 1] ~= '' then
      fields[#fields + 1] = optional[i]
      fields[#fields + 1] = optional[i + 1]
    end
  end
  return fields
end

if next_step == 'completed' then
  close_attempt(id, job, number_of, attempt, outcome, request_id, 'completed', '')
  if not current then
    -- Another attempt may be running for nothing by now; whether it comes to report is open.
    close_lost_attempt(id, job, 'superseded')
    call('PUBLISH', ABORTS, id)
  end
  if batch_of(id) then
    call('SET', RESULT .. id, ARGV[11])
  else
    call('SET', RESULT .. id, ARGV[11], 'PX', retention)
  end
  local upstream = call('HGET', LANE .. job[J.lane], 'upstream')
  if upstream then
    relieve(upstream, job[J.lane], id, tonumber(attempt.started))
  end
  local fields = {}
  if reported then
    fields = { 'used', ARGV[13] .. '|' .. ARGV[14] .. '|' .. ARGV[15] .. '|' .. ARGV[16] }
  end
  finish(id, job, 'completed', retention, fields, #ARGV[11])
  return { 'completed', feed(tonumber(ARGV[20])) }
end

if not current then
  if outcome ~= 'cancelled' then
    close_attempt(id, job, number_of, attempt, outcome, request_id, 'late', ARGV[8])
  end
  return { 'late', {} }
end

local became = 'queued'
if FINAL[next_step] then
  became = next_step
elseif call('SISMEMBER', CANCELLING, id) == 1 or stopped_as(id) == 'cancelled' or is_stopped(id, job) then
  became = 'cancelled'
end
close_attempt(id, job, number_of, attempt, outcome, request_id, became, ARGV[8])
local due = now + tonumber(ARGV[7])
if outcome == 'throttled' then
  call('HINCRBY', JOB .. id, 'throttles', 1)
  -- The limit may hold for everyone of this lane or upstream, whatever becomes of this job.
  local upstream = call('HGET', LANE .. job[J.lane], 'upstream')
  if upstream then
    due = throttle(upstream, job[J.lane], id, tonumber(ARGV[7]), tonumber(ARGV[22]))
  end
else
  call('HDEL', JOB .. id, 'throttled')
end
if became == 'cancelled' then
  finish_cancelled(id, job, retention)
  return { became, feed(tonumber(ARGV[20])) }
elseif FINAL[became] then
  finish(id, job, became, retention, final_fields(), #ARGV[10])
  return { became, feed(tonumber(ARGV[20])) }
end

if ARGV[18] == '1' then
  call('HINCRBY', JOB .. id, 'failures', 1)
end
call('HSET', JOB .. id, 'status', 'queued')
count_running(id, -1)
release(id, job)
count_waiting(job[J.tenant], class_of(job), 1)
if next_step == 'retry' or next_step == 'park' then
  call('ZADD', DELAYED, due, id)
else
  return_to_lane(id, job[J.lane], job[J.ticket])
end
announce(id, 'queued')
return { 'queued', feed(tonumber(ARGV[20])) }
