-- Bytes: what is stored for a tenant. Its `stored_bytes` is the sum of its STORED_BYTES, which
-- change with it in the same step: those of jobs and deliveries by the time
-- at which they are gone, `<ends ms>:<tenant>`, and those of each batch, `<stem>:<tenant>`.
-- STORED_UNTIL says when `tick` looks at one of them.
--
--   submit ──> deadline + retention ──finish──> retention ──webhook pending──> KEPT_MS ──told──> retention ──time is up, tick──> given back
--                                                  └────────────────────────delete──────────────────────────────────────────────^
--
-- Redis ends a job's record by itself. So its bytes always stand under a time at which it is gone
-- at the latest: `held` in the record is `<bytes> <ends ms> <those of the request>`.
-- A delivery is deleted by `tend`, and stands so too. A batch is erased by a script, which gives
-- its bytes back.
--
-- A job or batch of the release before has no size and counts nothing, whatever becomes of it.
-- Where that release ends what this one stored, nothing leaks:
-- a job's bytes are given back at the time under which they stand, and `tick` looks every hour
-- whether a batch is still stored.

local Bytes = {}

-- A record, its places in indexes and its attempts, beside its texts. Also of a line, a batch and a delivery.
Bytes.RECORD_BYTES = 1024
-- Bytes that end within so long are given back together.
local ENDING_STEP_MS = 10000
Bytes.BATCH_LOOK_MS = 3600000

-- Enters bytes of a record, which `stored_bytes` has to count, under the first time after
-- `ends_ms`. Answers `held`.
function Bytes.enter(tenant, bytes, ends_ms, request)
  local ends = (math.floor(ends_ms / ENDING_STEP_MS) + 1) * ENDING_STEP_MS
  local part = ends .. ':' .. tenant
  if call('INCRBY', STORED_BYTES .. part, bytes) == bytes then
    call('ZADD', STORED_UNTIL, ends, part)
  end
  return bytes .. ' ' .. ends .. ' ' .. request
end

-- Bytes of records that end, or are kept for longer; and those of batches.

-- Below 0 it could only get where the tenant was forgotten meanwhile.
function Bytes.change(tenant, change)
  if change ~= 0 and call('HINCRBY', TENANT .. tenant, 'stored_bytes', change) <= 0 then
    call('HDEL', TENANT .. tenant, 'stored_bytes')
  end
end

local function forget_part(part)
  call('DEL', STORED_BYTES .. part)
  call('ZREM', STORED_UNTIL, part)
end

-- Takes a record's bytes out; answers its bytes, those of its request, and how many `stored_bytes`
-- still counted: none where their time was up before.
local function leave_bytes(tenant, held)
  local bytes, ends, request = held:match('^(%d+) (%d+) (%d+)$')
  local part = ends .. ':' .. tenant
  local others = call('DECRBY', STORED_BYTES .. part, bytes)
  if others <= 0 then
    forget_part(part)
  end
  return tonumber(bytes), request, others < 0 and 0 or bytes
end

-- Of a record that is deleted before its time.
function Bytes.forget(tenant, held)
  local _, _, counted = leave_bytes(tenant, held)
  Bytes.change(tenant, -counted)
end

-- From here on a job has so many bytes more, no request, and is gone at `ends_ms`. Answers `held`,
-- for its record.
function Bytes.move(tenant, held, more, ends_ms)
  local bytes, request, counted = leave_bytes(tenant, held)
  bytes = bytes - request + more
  Bytes.change(tenant, bytes - counted)
  return Bytes.enter(tenant, bytes, ends_ms, 0)
end

-- A batch that was begun by the release before is not counted. One of whose lines that release
-- ended some may be counted too low: never below 0.
function Bytes.change_batch(stem, tenant, change)
  if change == 0 then
    return
  end
  local part = stem .. ':' .. tenant
  local bytes = call('INCRBY', STORED_BYTES .. part, change)
  if bytes == change then
    call('DEL', STORED_BYTES .. part)
    return
  elseif bytes < 0 then
    call('SET', STORED_BYTES .. part, 0)
    change = change - bytes
  end
  Bytes.change(tenant, change)
end

function Bytes.give_back(part)
  Bytes.change(part:match(':(.+)$'), -number(call('GET', STORED_BYTES .. part), 0))
  forget_part(part)
end

return Bytes
