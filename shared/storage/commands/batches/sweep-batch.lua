-- sweep-batch: the next step of one batch that is due, or of a given one that is being erased; a
-- bounded number of lines.
--
-- In:  grace_ms: for running lines, which their worker ends itself; retention_ms; stub_ms: life of erased
--      records; stem: the batch to erase ('' whichever is due)
-- Out: {stem ('' where none is due), what was done, lines expired, {hand-offs}}

local grace, retention = input.grace_ms, input.retention_ms

-- So long after a batch was stopped its running lines are looked at again.
local DRAIN_AGAIN_MS = 500
-- So long after its retention is over a batch is looked at again whose webhook is still to be delivered.
local KEPT_AGAIN_MS = 60000
-- Parts of BATCH_LINES that are deleted at once.
local PARTS_A_CALL = 16

local stem = input.stem
if stem == '' then
  stem = call('ZRANGEBYSCORE', BATCH_DUE, '-inf', now, 'LIMIT', 0, 1)[1]
end
if not stem then
  return { '', 'idle', 0, {} }
end
local row = call(
  'HMGET',
  BATCH .. stem,
  'status',
  'stopped_as',
  'deadline',
  'total',
  'drained',
  'trimmed',
  'tenant',
  'entry',
  'retained',
  'erasing',
  'kept'
)
local total = number(row[4], 0)
if not row[1] or input.stem ~= '' and not row[10] then
  -- Deleted meanwhile by another that was sweeping it.
  if not row[1] then
    call('ZREM', BATCH_DUE, stem)
  end
  return { stem, 'gone', 0, {} }
end

-- Lines that had a turn and are not running end now; running ones when they report, or when their
-- worker is lost past the deadline.
local function drain()
  Lanes.read_scheduler()
  local page = call('SSCAN', BATCH_OPEN .. stem, row[5] or '0', 'COUNT', 64)
  local is_late = tonumber(row[3]) + grace <= now
  for i = 1, #page[2] do
    local id = page[2][i]
    local job = Jobs.read(id)
    if job.status == 'queued' or is_late then
      Jobs.close_lost_attempt(id, job, 'lost')
      if row[2] == 'expired' then
        Jobs.finish(id, job, 'expired', retention, { error = 'deadline_exceeded' })
      else
        Jobs.finish_cancelled(id, job, retention)
      end
    end
  end
  if call('HGET', BATCH .. stem, 'unfinished') ~= '0' then
    call('HSET', BATCH .. stem, 'drained', page[1])
    call('ZADD', BATCH_DUE, page[1] == '0' and now + DRAIN_AGAIN_MS or now, stem)
  end
  return { stem, 'drained', #page[2], Feed.serve(64) }
end

-- The requests of lines that were cancelled before their turn, 64 at a call.
local function forget_requests()
  local forgotten = 0
  local from = number(row[6], 1)
  local to = math.min(total, from + 63)
  for line_number = from, to do
    local text = Lines.number_text(line_number)
    local at, field = stem .. text:sub(1, 3), text:sub(4)
    local line = Lines.read_staged(at, field)
    if line.request ~= '' and call('EXISTS', JOB .. 'job_' .. stem .. text .. line.proof) == 0 then
      Lines.stage(at, field, line, '')
      forgotten = forgotten + #line.request
    end
  end
  Bytes.change_batch(stem, row[7], -forgotten)
  call('HSET', BATCH .. stem, 'trimmed', to + 1)
  call('ZADD', BATCH_DUE, to < total and now or row[9], stem)
  return { stem, 'trimmed', 0, {} }
end

local function erase()
  local outcomes = call('LPOP', BATCH_OUTCOMES .. stem, 64)
  local counted = call('EXISTS', STORED_BYTES .. stem .. ':' .. row[7]) == 1
  -- As of jobs, nothing stays past the retention; of what is deleted before, an attempt may still report.
  local is_over = number(row[9], math.huge) <= now
  for i = 1, outcomes and #outcomes or 0 do
    local lane = outcomes[i]:match('^lane (%d+)$')
    if lane then
      call('UNLINK', BATCH_REST .. stem .. '.' .. lane)
    else
      local id = 'job_' .. stem .. outcomes[i]
      if is_over then
        call('UNLINK', JOB .. id, RESULT .. id)
      else
        -- Twice counted for a moment: the batch gives its bytes back with its last piece.
        Jobs.leave_stub(id, row[7], counted, input.stub_ms)
      end
    end
  end
  if outcomes then
    call('ZADD', BATCH_DUE, now, stem)
    return { stem, 'erasing', 0, {} }
  end
  local part = number(row[10], 0)
  local last = math.floor(total / 32)
  for n = part, math.min(last, part + PARTS_A_CALL - 1) do
    call('UNLINK', BATCH_LINES .. stem .. Lines.number_text(n):sub(2))
  end
  if part + PARTS_A_CALL <= last then
    call('HSET', BATCH .. stem, 'erasing', part + PARTS_A_CALL)
    call('ZADD', BATCH_DUE, now, stem)
    return { stem, 'erasing', 0, {} }
  end
  if row[8] then
    call('XDEL', BATCHES .. row[7], row[8])
  end
  Bytes.give_back(stem .. ':' .. row[7])
  call('UNLINK', BATCH .. stem, BATCH_USAGE .. stem, BATCH_TOLD .. stem)
  call('ZREM', BATCH_DUE, stem)
  return { stem, 'erased', 0, {} }
end

if row[10] then
  return erase()
end
if row[1] == 'in_progress' then
  Lanes.read_scheduler()
  Batches.stop(stem, 'expired', retention)
  return { stem, 'expired', 0, deliveries }
end
if row[2] and not FINAL[row[1]] then
  return drain()
end
if row[1] == 'cancelled' and number(row[6], 1) <= total then
  return forget_requests()
end
if row[11] and FINAL[row[1]] then
  -- What is told of it is still to be delivered, or may be sent again.
  local kept_until = tonumber(row[11]) or now + KEPT_AGAIN_MS
  if kept_until > now then
    call('ZADD', BATCH_DUE, kept_until, stem)
    return { stem, 'kept', 0, {} }
  end
end
Batches.begin_erasing(stem)
return { stem, 'erasing', 0, {} }
