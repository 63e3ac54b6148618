-- Bytes: what is stored for a tenant. Its `stored_bytes` is the sum of its STORED_BYTES, which change with it in the same step: those of jobs and deliveries by the time
-- at which they are gone, `<ends ms>:<tenant>`, and those of each batch, `<stem>:<tenant>`. STORED_UNTIL says when `tick` looks at one of them.
--
--   submit ──> deadline + retention ──finish──> retention ──webhook pending──> KEPT_MS ──told──> retention ──time is up, tick──> given back
--                                                  └────────────────────────delete──────────────────────────────────────────────^
--
-- Redis ends a job's record by itself. So its bytes always stand under a time at which it is gone at the latest: `held` in the record is `<bytes> <ends ms> <those of the request>`.
-- A delivery is deleted by `tend`, and stands so too. A batch is erased by a script, which gives its bytes back.
--
-- A job or batch of the release before has no size and counts nothing, whatever becomes of it. Where that release ends what this one stored, nothing leaks:
-- a job's bytes are given back at the time under which they stand, and `tick` looks every hour whether a batch is still stored.

-- A record, its places in indexes and its attempts, beside its texts. Also of a line, a batch and a delivery.
local RECORD_BYTES = 1024
-- Bytes that end within so long are given back together.
local ENDING_STEP_MS = 10000
local BATCH_LOOK_MS = 3600000

-- Enters bytes of a record, which `stored_bytes` has to count, under the first time after `ends_ms`. Answers `held`.
local function enter_bytes(tenant, bytes, ends_ms, request)
  local ends = (math.floor(ends_ms / ENDING_STEP_MS) + 1) * ENDING_STEP_MS
  local part = ends .. ':' .. tenant
  if call('INCRBY', STORED_BYTES .. part, bytes) == bytes then
    call('ZADD', STORED_UNTIL, ends, part)
  end
  return bytes .. ' ' .. ends .. ' ' .. request
end
