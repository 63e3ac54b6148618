-- Deliveries: events of what became final, on their way to tenants' endpoints. Every script that makes something final records its event here, in the same step.
--
--                        ┌──────────── a turn ────────────┐
--                        v                                │
--   record_event ──> handed ──no room──────────────> waiting ──4 days──> failed
--                        │ attempt                        ^
--                        ├──> delivered                   │ no room
--                        ├──> failed ──redelivery──> handed
--                        └──> due ──time is up────────> handed
--
-- handed: known to BullMQ and counted in its endpoint's `inflight`; waiting: in ENDPOINT_LINE; due: only in OUTBOX. `at` names the place of a pending one.
-- All stand in OUTBOX, at the time when `tend` looks after them: lost hand-offs, retries, those that waited in vain, those that are to be forgotten.
-- An endpoint is (tenant, origin). One that does not answer is paused, and then tried with a single delivery.

-- Of one endpoint at once: a fifth of what one worker process delivers.
local ENDPOINT_ROOM = 20
-- So many attempts in a row without any answer pause an endpoint, each time for twice as long.
local SILENCES_TO_PAUSE = 5
local FIRST_PAUSE_MS, LONGEST_PAUSE_MS = 5000, 5 * 60 * 1000
local ENDPOINT_LIFE_MS = 24 * 3600 * 1000
-- A hand-off is looked after when it is so old, and again.
local HANDOFF_LATE_MS = 5000
local LONGEST_WAIT_MS = 4 * 24 * 3600 * 1000
local DISABLED_LIFE_MS = 30 * 24 * 3600 * 1000
local MOST_ATTEMPTS_KEPT = 20
local DELIVERED_LIFE_MS, FAILED_LIFE_MS = 24 * 3600 * 1000, 7 * 24 * 3600 * 1000

local DELIVERY_FIELDS = { 'tenant', 'subject', 'endpoint', 'url', 'status', 'at', 'attempts', 'handoff', 'failures' }
local D = { tenant = 1, subject = 2, endpoint = 3, url = 4, status = 5, at = 6, attempts = 7, handoff = 8, failures = 9 }

local function read_delivery(id)
  return call('HMGET', DELIVERY .. id, unpack(DELIVERY_FIELDS))
end

local function disabled_url(tenant, url)
  return DISABLED_URL .. tenant .. ':' .. redis.sha1hex(url)
end

-- What an event tells of outlives its pending delivery, and a failed one, so that it can be sent again.
local function keep_subject(subject)
  if subject:sub(1, 4) == 'job_' then
    call('PERSIST', JOB .. subject)
    call('PERSIST', RESULT .. subject)
  elseif subject:sub(1, 6) == 'batch_' then
    call('HSET', BATCH .. subject:sub(7, 28), 'kept', 'pending')
  end
end

local function release_subject(subject, kept_until)
  if subject:sub(1, 6) == 'batch_' and call('EXISTS', BATCH .. subject:sub(7, 28)) == 1 then
    call('HSET', BATCH .. subject:sub(7, 28), 'kept', kept_until)
  end
  if subject:sub(1, 4) ~= 'job_' then
    return
  end
  local job = call('HMGET', JOB .. subject, 'retained', 'erased')
  if job[1] and not job[2] then
    local ends = math.max(tonumber(job[1]), kept_until)
    call('PEXPIREAT', JOB .. subject, ends)
    call('PEXPIREAT', RESULT .. subject, ends)
  end
end

-- `reason`: why it failed where no attempt says so.
local function finish_delivery(id, delivery, status, reason)
  local life = status == 'delivered' and DELIVERED_LIFE_MS or FAILED_LIFE_MS
  call('HDEL', DELIVERY .. id, 'at')
  call('HSET', DELIVERY .. id, 'status', status, 'finished', now)
  if reason and reason ~= '' then
    call('HSET', DELIVERY .. id, 'reason', reason)
  end
  call('ZADD', OUTBOX, now + life, id)
  if status == 'failed' then
    call('ZADD', FAILED_DELIVERIES .. delivery[D.tenant], now, id)
  end
  release_subject(delivery[D.subject], status == 'failed' and now + life or now)
  announce(id, status)
end

local function hand_off_delivery(id, endpoint)
  local handoff = call('HINCRBY', DELIVERY .. id, 'handoff', 1)
  call('HSET', DELIVERY .. id, 'at', 'handed')
  call('HINCRBY', ENDPOINT .. endpoint, 'inflight', 1)
  call('PEXPIRE', ENDPOINT .. endpoint, ENDPOINT_LIFE_MS)
  call('ZADD', OUTBOX, now + HANDOFF_LATE_MS, id)
  deliveries[#deliveries + 1] = id .. '-' .. handoff
end

-- How many more deliveries an endpoint may get now. One that was paused is tried with a single one.
local function room_at(endpoint)
  local row = call('HMGET', ENDPOINT .. endpoint, 'inflight', 'paused_until', 'silences')
  if number(row[2], 0) > now then
    return 0
  end
  local room = number(row[3], 0) >= SILENCES_TO_PAUSE and 1 or ENDPOINT_ROOM
  return room - number(row[1], 0)
end

-- A delivery whose time has come: to BullMQ where its endpoint has room, else into the endpoint's line.
local function enter_delivery(id, delivery)
  local endpoint = delivery[D.endpoint]
  if call('EXISTS', disabled_url(delivery[D.tenant], delivery[D.url])) == 1 then
    finish_delivery(id, delivery, 'failed', 'url_disabled')
  elseif room_at(endpoint) > 0 then
    hand_off_delivery(id, endpoint)
  else
    call('HSET', DELIVERY .. id, 'at', 'waiting')
    call('RPUSH', ENDPOINT_LINE .. endpoint, id)
    call('ZADD', OUTBOX, now + LONGEST_WAIT_MS, id)
  end
end

-- Gives the endpoint's room to those that wait for it, a bounded number; `tend` goes on where some is left.
local function serve_line(endpoint)
  if call('EXISTS', ENDPOINT_LINE .. endpoint) == 0 then
    return
  end
  local room = room_at(endpoint)
  for _ = 1, 8 do
    local id = room > 0 and call('LPOP', ENDPOINT_LINE .. endpoint)
    if not id then
      return
    end
    -- One that waited in vain, or arrived after all, is met here and skipped.
    local delivery = read_delivery(id)
    if delivery[D.at] == 'waiting' then
      enter_delivery(id, delivery)
      room = room - 1
    end
  end
  call('ZADD', PAUSED_ENDPOINTS, now, endpoint)
end

-- Gives back the room that a handed delivery holds. Safe where it holds none.
local function leave_endpoint(id, delivery)
  if delivery[D.at] == 'handed' then
    call('HDEL', DELIVERY .. id, 'at')
    call('HINCRBY', ENDPOINT .. delivery[D.endpoint], 'inflight', -1)
  end
end

-- After an attempt: an endpoint that gave any answer lives; one that gave none, again and again, is left alone for a while.
local function judge_endpoint(endpoint, answered)
  if answered then
    call('HDEL', ENDPOINT .. endpoint, 'silences', 'paused_until')
    return
  end
  -- Attempts that were under way when it was paused meet the same silence: they say nothing new.
  if number(call('HGET', ENDPOINT .. endpoint, 'paused_until'), 0) > now then
    return
  end
  local silences = call('HINCRBY', ENDPOINT .. endpoint, 'silences', 1)
  if silences >= SILENCES_TO_PAUSE then
    local pause = math.min(FIRST_PAUSE_MS * 2 ^ (silences - SILENCES_TO_PAUSE), LONGEST_PAUSE_MS)
    call('HSET', ENDPOINT .. endpoint, 'paused_until', now + pause)
    call('ZADD', PAUSED_ENDPOINTS, now + pause, endpoint)
  end
end

-- An attempt's row: `started|ms|code|status|mark`; code is empty while it is open.
local function read_delivery_attempt(id, number_of)
  local row = call('HGET', DELIVERY .. id, 'attempt:' .. number_of)
  if not row then
    return nil
  end
  local started, code, mark = row:match('^(%d+)|%d*|(.-)|%d*|(.*)$')
  return { started = started, code = code, mark = mark }
end

local function close_delivery_attempt(id, number_of, attempt, ms, code, status)
  call('HSET', DELIVERY .. id, 'attempt:' .. number_of,
    attempt.started .. '|' .. ms .. '|' .. code .. '|' .. status .. '|' .. attempt.mark)
end

-- Records that `subject` (`job_…`, `batch_…`) became final with an event of this type. `webhook` is what the subject's record says of it,
-- `<endpoint> <types, separated by commas> <URL>`, or false. Answers whether there is a delivery now; the subject is then kept until it ended.
-- The delivery's id follows from the subject's: however often the event is sent, and whoever records it, it is one event.
local function record_event(tenant, subject, type, webhook)
  if not webhook then
    return false
  end
  local endpoint, types, url = webhook:match('^(%S+) (%S+) (.+)$')
  if not (',' .. types .. ','):find(',' .. type .. ',', 1, true) then
    return false
  end
  local id = 'evt_' .. subject:match('_(.+)$')
  call('HSET', DELIVERY .. id,
    'tenant', tenant, 'subject', subject, 'type', type, 'endpoint', endpoint, 'url', url, 'happened', now, 'status', 'pending')
  call('ZADD', TENANT_DELIVERIES .. tenant, now, id)
  keep_subject(subject)
  enter_delivery(id, read_delivery(id))
  return true
end
