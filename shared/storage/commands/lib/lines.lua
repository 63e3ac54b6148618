-- Line numbers as ids write them: Crockford's base32 in 4 characters, of which the first three name
-- a part of BATCH_LINES.

local Lines = {}

local BASE32 = '0123456789abcdefghjkmnpqrstvwxyz'

function Lines.number_text(line)
  local text = ''
  for _ = 1, 4 do
    local digit = line % 32
    text = BASE32:sub(digit + 1, digit + 1) .. text
    line = (line - digit) / 32
  end
  return text
end

-- Lines of batches. A line is a job; its id begins with its batch's stem and tells the two kinds
-- apart (`createBatchIds`).
-- What was staged for it stands among its neighbours in BATCH_LINES as long as its batch is stored.
-- A record of its own it has from its first turn on: a waiting line costs next to nothing.

-- The stem of the batch that a job is a line of; nil for a job of its own.
function Lines.batch_of(id)
  local version = id:sub(15, 15)
  if version == 'g' or version == 'h' then
    return id:sub(5, 26)
  end
  return nil
end

-- The stem of the batch that a lane is of; nil for a lane that batches do not own.
function Lines.batch_of_lane(lane)
  if lane:sub(23, 23) == '.' then
    return lane:sub(1, 22)
  end
  return nil
end

-- `at` is where a line stands: the stem and its number's first three characters, and the last one.
function Lines.stage(at, field, line, request)
  call('HSET', BATCH_LINES .. at, field, table.concat({ line.head, line.custom_id, line.metadata, request }, '\n'))
end

-- Whether a line says more than its six words, in the contents that are staged for it.
function Lines.has_more_words(contents)
  return contents:match('^[^\n]*'):find('^%w+ %d+ %d+ %d+ %d+ %S+ ') ~= nil
end

-- What was staged for a line: the end of its id, lane, ticket, timeout, tokens, nano-dollars that a
-- call may cost ('-' no budget), what it needs of a worker and its warnings as JSON (each nil where
-- there are none), whether it was erased since, custom id, metadata and request ('' where that
-- is no longer kept); nil where there is no such line.
function Lines.read_staged(at, field)
  local text = call('HGET', BATCH_LINES .. at, field)
  if not text then
    return nil
  end
  local head, custom_id, metadata, request = text:match('^([^\n]*)\n([^\n]*)\n([^\n]*)\n(.*)$')
  local proof, lane, ticket, timeout, tokens, estimate, more = head:match('^(%w+) (%d+) (%d+) (%d+) (%d+) (%S+)(.*)$')
  return {
    head = head,
    custom_id = custom_id,
    metadata = metadata,
    request = request,
    proof = proof,
    lane = lane,
    ticket = ticket,
    timeout = timeout,
    tokens = tokens,
    estimate = estimate ~= '-' and estimate,
    needs = more:match(' needs=(%S+)'),
    warnings = more:match(' warnings=(%S+)'),
    -- Words of later releases stand beside this one, and stay.
    erased = (more .. ' '):find(' erased ', 1, true) ~= nil,
  }
end

function Lines.read(id)
  return Lines.read_staged(id:sub(5, 29), id:sub(30, 30))
end

-- A line that will not run again for itself needs its request no more; answers the bytes of it.
function Lines.forget_request(id, line)
  if line.request ~= '' then
    Lines.stage(id:sub(5, 29), id:sub(30, 30), line, '')
  end
  return #line.request
end

-- The error of a batch's lines that ended without a turn; nil when their tenant cancelled them.
function Lines.error_without_turn(stopped_as, stop_error)
  return stop_error or stopped_as == 'expired' and 'deadline_exceeded' or nil
end

-- The record of a line that has had no turn.
function Lines.waiting_record(stem, line)
  local batch = call(
    'HMGET',
    BATCH .. stem,
    'tenant',
    'provider',
    'model:' .. line.lane,
    'credential',
    'published',
    'deadline',
    'platform_key',
    'sandbox',
    'fingerprint',
    'traceparent'
  )
  return {
    tenant = batch[1],
    lane = stem .. '.' .. line.lane,
    provider = batch[2],
    model = batch[3],
    credential = batch[4],
    status = 'queued',
    created = batch[5],
    deadline = batch[6],
    timeout = line.timeout,
    ticket = line.ticket,
    platform_key = batch[7],
    class = 'batch',
    tokens = line.tokens,
    sandbox = batch[8],
    fingerprint = batch[9],
    traceparent = batch[10],
    estimate = line.estimate,
    needs = line.needs,
    warnings = line.warnings,
  }
end

-- Gives a line the record that it has from its first turn on; answers its status, ticket and tokens.
function Lines.open(stem, id)
  local line = Lines.read(id)
  Records.write(JOB .. id, Lines.waiting_record(stem, line))
  call('SADD', BATCH_OPEN .. stem, id)
  return { 'queued', line.ticket, line.tokens }
end

-- A line's call begins or ends.
function Lines.count_running(id, change)
  local stem = Lines.batch_of(id)
  if stem then
    call('HINCRBY', BATCH .. stem, 'in_progress', change)
  end
end

return Lines
