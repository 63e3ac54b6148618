-- Lines of batches. A line is a job; its id begins with its batch's stem and tells the two kinds apart (`createBatchIds`).
-- What was staged for it stands among its neighbours in BATCH_LINES as long as its batch is stored. A record of its own it has from its first turn on: a waiting line costs next to nothing.

-- The stem of the batch that a job is a line of; nil for a job of its own.
local function batch_of(id)
  local version = id:sub(15, 15)
  if version == 'g' or version == 'h' then
    return id:sub(5, 26)
  end
  return nil
end

-- The stem of the batch that a lane is of; nil for a lane that batches do not own.
local function batch_of_lane(lane)
  if lane:sub(23, 23) == '.' then
    return lane:sub(1, 22)
  end
  return nil
end

-- `at` is where a line stands: the stem and its number's first three characters, and the last one.
local function stage_line(at, field, line, request)
  call('HSET', BATCH_LINES .. at, field, table.concat({ line.head, line.custom_id, line.metadata, request }, '\n'))
end

-- What was staged for a line: the end of its id, lane, ticket, timeout, tokens, nano-dollars that a call may cost ('-' no budget), whether it was erased since, custom id, metadata and request ('' where that is no longer kept); nil where there is no such line.
local function read_staged(at, field)
  local text = call('HGET', BATCH_LINES .. at, field)
  if not text then
    return nil
  end
  local head, custom_id, metadata, request = text:match('^([^\n]*)\n([^\n]*)\n([^\n]*)\n(.*)$')
  local proof, lane, ticket, timeout, tokens, estimate, erased = head:match('^(%w+) (%d+) (%d+) (%d+) (%d+) (%S+)(.*)$')
  return {
    head = head, custom_id = custom_id, metadata = metadata, request = request,
    proof = proof, lane = lane, ticket = ticket, timeout = timeout, tokens = tokens, estimate = estimate ~= '-' and estimate, erased = erased ~= '',
  }
end

local function read_line(id)
  return read_staged(id:sub(5, 29), id:sub(30, 30))
end

-- A line that will not run again for itself needs its request no more; answers the bytes of it.
local function forget_request(id, line)
  if line.request ~= '' then
    stage_line(id:sub(5, 29), id:sub(30, 30), line, '')
  end
  return #line.request
end

-- The error of a batch's lines that ended without a turn; nil when their tenant cancelled them.
local function error_without_turn(stopped_as, stop_error)
  return stop_error or stopped_as == 'expired' and 'deadline_exceeded' or nil
end

-- The record of a line that has had no turn, as field, value, …
local function waiting_record(stem, line)
  local batch = call('HMGET', BATCH .. stem, 'tenant', 'provider', 'model:' .. line.lane, 'credential', 'published', 'deadline', 'platform_key', 'sandbox', 'fingerprint', 'traceparent')
  local record = {
    'tenant', batch[1], 'lane', stem .. '.' .. line.lane, 'provider', batch[2], 'model', batch[3], 'credential', batch[4],
    'status', 'queued', 'created', batch[5], 'deadline', batch[6], 'timeout', line.timeout, 'ticket', line.ticket,
    'platform_key', batch[7], 'class', 'batch', 'tokens', line.tokens,
  }
  local optional = { 'sandbox', batch[8], 'fingerprint', batch[9], 'traceparent', batch[10], 'estimate', line.estimate }
  for i = 1, 8, 2 do
    if optional[i + 1] then
      record[#record + 1] = optional[i]
      record[#record + 1] = optional[i + 1]
    end
  end
  return record
end

-- Gives a line the record that it has from its first turn on; answers its status, ticket and tokens.
local function open_line(stem, id)
  local line = read_line(id)
  call('HSET', JOB .. id, unpack(waiting_record(stem, line)))
  call('SADD', BATCH_OPEN .. stem, id)
  return { 'queued', line.ticket, line.tokens }
end

-- A line's call begins or ends.
local function count_running(id, change)
  local stem = batch_of(id)
  if stem then
    call('HINCRBY', BATCH .. stem, 'in_progress', change)
  end
end
