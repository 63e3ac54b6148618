-- Bytes: what is stored for a tenant. Its `stored_bytes` is the sum of its fields in ENDING_BYTES and BATCH_BYTES, which change with it in the same step.
--
--   submit ──> deadline + retention ──finish──> retention ──webhook pending──> KEPT_MS ──told──> retention ──time is up, tick──> given back
--                                                  └────────────────────────delete──────────────────────────────────────────────^
--
-- Redis ends a job's record by itself. So its bytes always stand under a time at which it is gone at the latest: `held` in the record is `<bytes> <ends ms>`,
-- and ENDING_BYTES has the sum of all that end then. A batch is erased by a script, which gives BATCH_BYTES back.
--
-- A job or batch of the release before has no size and counts nothing, whatever becomes of it. Where that release ends what this one stored, nothing leaks:
-- a job's bytes are given back at the time under which they stand, and `give_back_ended` finds batches that are no longer stored.

-- A record, its places in indexes and its attempts, beside its texts. Also of a line, and of a batch.
local RECORD_BYTES = 1024
-- Bytes that end within so long are given back together.
local ENDING_STEP_MS = 10000
-- Longer than an event can be under way and fail, but for one that is sent again: its subject's bytes are then held anew.
local KEPT_MS = 14 * 24 * 3600 * 1000

-- Below 0 it could only get where the tenant was forgotten meanwhile.
local function change_stored(tenant, change)
  if change ~= 0 and call('HINCRBY', TENANT .. tenant, 'stored_bytes', change) <= 0 then
    call('HDEL', TENANT .. tenant, 'stored_bytes')
  end
end

-- Enters a job's bytes, which `stored_bytes` has to count, under the first time after `ends_ms`. Answers `held`.
local function enter_bytes(tenant, bytes, ends_ms)
  local ends = string.format('%.0f', (math.floor(ends_ms / ENDING_STEP_MS) + 1) * ENDING_STEP_MS)
  local field = ends .. ' ' .. tenant
  if call('HINCRBY', ENDING_BYTES, field, bytes) == bytes then
    call('ZADD', ENDING, ends, field)
  end
  return bytes .. ' ' .. ends
end

-- Takes a job's bytes out; answers its bytes, and how many `stored_bytes` still counted: none where their time was up before.
local function leave_bytes(tenant, held)
  local bytes, ends = held:match('^(%d+) (%d+)$')
  local field = ends .. ' ' .. tenant
  bytes = tonumber(bytes)
  local others = call('HINCRBY', ENDING_BYTES, field, -bytes)
  if others <= 0 then
    call('HDEL', ENDING_BYTES, field)
    call('ZREM', ENDING, field)
  end
  return bytes, others < 0 and 0 or bytes
end

-- A job has so many bytes more from here on, and is gone at `ends_ms`. Answers `held`, for its record.
local function move_bytes(tenant, held, change, ends_ms)
  local bytes, counted = leave_bytes(tenant, held)
  change_stored(tenant, bytes + change - counted)
  return enter_bytes(tenant, bytes + change, ends_ms)
end

-- The record's end was moved.
local function hold_until(id, ends_ms)
  local row = call('HMGET', JOB .. id, 'tenant', 'held')
  if row[2] then
    call('HSET', JOB .. id, 'held', move_bytes(row[1], row[2], 0, ends_ms))
  end
end

local function forget_bytes(id, tenant, held)
  if held then
    local _, counted = leave_bytes(tenant, held)
    change_stored(tenant, -counted)
    call('HDEL', JOB .. id, 'held')
  end
end

local function begin_batch_bytes(stem, tenant, bytes)
  call('HSET', BATCH_BYTES, stem .. ' ' .. tenant, bytes)
  change_stored(tenant, bytes)
end

-- One that was begun by the release before is not counted. One of whose lines that release ended some may be counted too low: never below 0.
local function change_batch_bytes(stem, tenant, change)
  local field = stem .. ' ' .. tenant
  local bytes = change ~= 0 and call('HINCRBY', BATCH_BYTES, field, change)
  if bytes == change then
    call('HDEL', BATCH_BYTES, field)
    return
  elseif bytes and bytes < 0 then
    call('HSET', BATCH_BYTES, field, 0)
    change = change - bytes
  end
  change_stored(tenant, change)
end

local function forget_batch_bytes(stem, tenant)
  local field = stem .. ' ' .. tenant
  change_stored(tenant, -number(call('HGET', BATCH_BYTES, field), 0))
  call('HDEL', BATCH_BYTES, field)
end

-- Upkeep: what ended by itself, and batches that another release erased; a bounded number of each.
local function give_back_ended()
  local ended = call('ZRANGEBYSCORE', ENDING, '-inf', now, 'LIMIT', 0, 256)
  for i = 1, #ended do
    change_stored(ended[i]:match(' (.+)$'), -number(call('HGET', ENDING_BYTES, ended[i]), 0))
  end
  if #ended > 0 then
    call('HDEL', ENDING_BYTES, unpack(ended))
    call('ZREM', ENDING, unpack(ended))
  end
  local batches = call('HRANDFIELD', BATCH_BYTES, 8)
  for i = 1, #batches do
    local stem, tenant = batches[i]:match('^(%S+) (.+)$')
    if call('EXISTS', BATCH .. stem) == 0 then
      forget_batch_bytes(stem, tenant)
    end
  end
end
