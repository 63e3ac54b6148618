-- Deliveries: events of what became final, on their way to tenants' endpoints. Every script that
-- makes something final records its event here, in the same step.
--
--                        ┌──────────── a turn ────────────┐
--                        v                                │
--   record_event ──> handed ──no room──────────────> waiting ──4 days──> failed
--                        │ attempt                        ^
--                        ├──> delivered                   │ no room
--                        ├──> failed ──redelivery──> handed
--                        └──> due ──time is up────────> handed
--
-- handed: known to BullMQ, and counted in its endpoint's `inflight` and its tenant's (OUTGOING);
-- waiting: in ENDPOINT_LINE; due: only in OUTBOX.
-- `at` names the place of a pending one. All stand in OUTBOX, at the time when `tend` looks after
-- them: lost hand-offs, retries, those that waited in vain,
-- those that are to be forgotten.
--
-- An endpoint is (tenant, origin). Where its line is not empty, something brings its next turn:
--
--                  one of its own is settled
--     full ───────────────────────────────────────┐
--      ^ │ silence, again and again               v   the tenant has room
--      │ └──────────────> paused ──time is up──> in turn ──────────────────┐
--      │                                          ^ room and a line left   │ one is handed
--      └──────────────────────────────────────────┴────────────────────────┘
--
-- full: as many as may are under way; paused: in PAUSED_ENDPOINTS, then tried with a single
-- delivery; in turn: in its tenant's ENDPOINT_TURNS.
-- A tenant with endpoints in turn stands in WAITING_TENANTS: its room grows also when another's
-- delivery ends, or a worker comes, and `tend` sees to that.

local Outbox = {}

-- Of one endpoint at once: a fifth of what one worker process delivers.
local ENDPOINT_ROOM = 20
-- What the workers deliver at once, until `tend` has said it.
local FIRST_SLOTS = 100
-- How many that wait one call hands off for a tenant at most.
local SERVED_A_CALL = 8
-- So often it is seen whether the room of a tenant that waits has grown.
Outbox.TOP_UP_MS = 1000
-- So many attempts in a row without any answer pause an endpoint, each time for twice as long.
local SILENCES_TO_PAUSE = 5
local FIRST_PAUSE_MS, LONGEST_PAUSE_MS = 5000, 5 * 60 * 1000
local ENDPOINT_LIFE_MS = 24 * 3600 * 1000
-- A hand-off is looked after when it is so old, and again.
Outbox.HANDOFF_LATE_MS = 5000
local LONGEST_WAIT_MS = 4 * 24 * 3600 * 1000
Outbox.DISABLED_LIFE_MS = 30 * 24 * 3600 * 1000
Outbox.MOST_ATTEMPTS_KEPT = 20
local DELIVERED_LIFE_MS, FAILED_LIFE_MS = 24 * 3600 * 1000, 7 * 24 * 3600 * 1000

local DELIVERY_FIELDS =
  { 'tenant', 'subject', 'endpoint', 'url', 'status', 'at', 'attempts', 'handoff', 'failures', 'held' }
-- The record's fields that follow, by name; each false if it is absent.
function Outbox.read_delivery(id)
  local values, record = call('HMGET', DELIVERY .. id, unpack(DELIVERY_FIELDS)), {}
  for i = 1, #DELIVERY_FIELDS do
    record[DELIVERY_FIELDS[i]] = values[i]
  end
  return record
end

function Outbox.disabled_url(tenant, url)
  return DISABLED_URL .. tenant .. ':' .. redis.sha1hex(url)
end

-- Longer than an event can be under way and fail; where one is sent again, its bytes and its
-- subject's are held anew when that is over.
local KEPT_MS = 14 * 24 * 3600 * 1000

-- A new delivery's bytes; answers its `held`.
function Outbox.hold_delivery(tenant, url)
  local bytes = Bytes.RECORD_BYTES + #url
  Bytes.change(tenant, bytes)
  return Bytes.enter(tenant, bytes, now + KEPT_MS, 0)
end

-- A final job's record has another end.
local function hold_until(id, ends_ms)
  local row = call('HMGET', JOB .. id, 'tenant', 'held')
  if row[2] then
    call('HSET', JOB .. id, 'held', Bytes.move(row[1], row[2], 0, ends_ms))
  end
end

-- What an event tells of outlives its pending delivery, and a failed one, so that it can be sent again.
function Outbox.keep_subject(subject)
  if subject:sub(1, 4) == 'job_' then
    call('PERSIST', JOB .. subject)
    hold_until(subject, now + KEPT_MS)
    call('PERSIST', RESULT .. subject)
    call('PERSIST', ANSWER .. subject)
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
    -- First, because an end that has passed deletes the record at once.
    hold_until(subject, ends)
    call('PEXPIREAT', JOB .. subject, ends)
    call('PEXPIREAT', RESULT .. subject, ends)
    call('PEXPIREAT', ANSWER .. subject, ends)
  end
end

function Outbox.forget_delivery(id, delivery)
  local tenant = delivery.tenant
  call('DEL', DELIVERY .. id)
  call('ZREM', OUTBOX, id)
  if delivery.held then
    Bytes.forget(tenant, delivery.held)
  end
  if tenant then
    call('ZREM', TENANT_DELIVERIES .. tenant, id)
    call('ZREM', FAILED_DELIVERIES .. tenant, id)
  end
end

-- `reason`: why it failed where no attempt says so.
function Outbox.finish_delivery(id, delivery, status, reason)
  local life = status == 'delivered' and DELIVERED_LIFE_MS or FAILED_LIFE_MS
  call('HDEL', DELIVERY .. id, 'at')
  call('HSET', DELIVERY .. id, 'status', status, 'finished', now)
  if delivery.held then
    call('HSET', DELIVERY .. id, 'held', Bytes.move(delivery.tenant, delivery.held, 0, now + life))
  end
  if reason and reason ~= '' then
    call('HSET', DELIVERY .. id, 'reason', reason)
  end
  call('ZADD', OUTBOX, now + life, id)
  if status == 'failed' then
    call('ZADD', FAILED_DELIVERIES .. delivery.tenant, now, id)
  end
  release_subject(delivery.subject, status == 'failed' and now + life or now)
  News.announce(id, status)
end

function Outbox.hand_off_delivery(id, delivery)
  local endpoint = delivery.endpoint
  local handoff = number(delivery.handoff, 0) + 1
  call('HSET', DELIVERY .. id, 'at', 'handed', 'handoff', handoff)
  call('HINCRBY', ENDPOINT .. endpoint, 'inflight', 1)
  call('PEXPIRE', ENDPOINT .. endpoint, ENDPOINT_LIFE_MS)
  call('HINCRBY', OUTGOING, 'of:' .. delivery.tenant, 1)
  call('HINCRBY', OUTGOING, 'all', 1)
  call('ZADD', OUTBOX, now + Outbox.HANDOFF_LATE_MS, id)
  deliveries[#deliveries + 1] = id .. '-' .. handoff
end

-- How many more deliveries an endpoint may get now. One that was paused is tried with a single one;
-- a test is how its owner tries it.
local function room_at(endpoint, is_test)
  local row = call('HMGET', ENDPOINT .. endpoint, 'inflight', 'paused_until', 'silences')
  if not is_test and number(row[2], 0) > now then
    return 0
  end
  local room = not is_test and number(row[3], 0) >= SILENCES_TO_PAUSE and 1 or ENDPOINT_ROOM
  return room - number(row[1], 0)
end

-- Whether a tenant may get another delivery: it holds fewer than are still free for all. So one
-- that is alone holds half of what the workers can, each of n busy
-- ones the (n + 1)th part, and who comes next finds as much free. One each always.
local function has_room(tenant)
  local row = call('HMGET', OUTGOING, 'of:' .. tenant, 'all', 'slots')
  local free = number(row[3], FIRST_SLOTS) - number(row[2], 0)
  return number(row[1], 0) < math.max(1, free)
end

local function give_turn(tenant, endpoint)
  -- One that has its turn already keeps its place.
  call('ZADD', ENDPOINT_TURNS .. tenant, 'NX', call('HINCRBY', OUTGOING, 'turn', 1), endpoint)
  call('ZADD', WAITING_TENANTS, 'NX', now + Outbox.TOP_UP_MS, tenant)
end

function Outbox.is_of_deleted(delivery)
  return call('HGET', STOPS .. delivery.tenant, 'tenant') == 'tenant_deleted'
end

-- A deleted tenant gets nothing, and a URL that answered 410 nothing but tests. Answers whether the delivery
-- ended by that.
local function fail_barred(id, delivery)
  local reason
  if Outbox.is_of_deleted(delivery) then
    reason = 'tenant_deleted'
  elseif delivery.subject ~= '' and call('EXISTS', Outbox.disabled_url(delivery.tenant, delivery.url)) == 1 then
    reason = 'url_disabled'
  end
  if reason then
    Outbox.finish_delivery(id, delivery, 'failed', reason)
  end
  return reason ~= nil
end

-- A delivery whose time has come: to BullMQ where its endpoint and its tenant have room, else into
-- the endpoint's line.
function Outbox.enter_delivery(id, delivery)
  if fail_barred(id, delivery) then
    return
  end
  local tenant, endpoint = delivery.tenant, delivery.endpoint
  local room = room_at(endpoint, delivery.subject == '')
  if room > 0 and has_room(tenant) then
    Outbox.hand_off_delivery(id, delivery)
    return
  end
  call('HSET', DELIVERY .. id, 'at', 'waiting')
  call('ZADD', OUTBOX, now + LONGEST_WAIT_MS, id)
  call('RPUSH', ENDPOINT_LINE .. endpoint, id)
  if room > 0 then
    give_turn(tenant, endpoint)
  end
end

-- Gives a tenant's room to those that wait for it: its endpoints in turn, one each.
function Outbox.serve_turns(tenant)
  for _ = 1, SERVED_A_CALL do
    local endpoint = has_room(tenant) and call('ZPOPMIN', ENDPOINT_TURNS .. tenant)[1]
    if not endpoint then
      return
    end
    local room = room_at(endpoint)
    local id = room > 0 and call('LPOP', ENDPOINT_LINE .. endpoint)
    if id then
      local delivery = Outbox.read_delivery(id)
      if not fail_barred(id, delivery) then
        Outbox.hand_off_delivery(id, delivery)
        room = room - 1
      end
      if room > 0 and call('EXISTS', ENDPOINT_LINE .. endpoint) == 1 then
        give_turn(tenant, endpoint)
      end
    end
  end
end

-- After room was given back, or a pause is over: the endpoint gets its turn, and the tenant's next
-- ones theirs.
function Outbox.serve_lines(tenant, endpoint)
  if call('EXISTS', ENDPOINT_LINE .. endpoint, ENDPOINT_TURNS .. tenant) == 0 then
    return
  end
  if call('EXISTS', ENDPOINT_LINE .. endpoint) == 1 and room_at(endpoint) > 0 then
    give_turn(tenant, endpoint)
  end
  Outbox.serve_turns(tenant)
end

-- Takes a delivery out of its line, or gives back the room that it holds.
function Outbox.leave_place(id, delivery)
  local at, tenant, endpoint = delivery.at, delivery.tenant, delivery.endpoint
  if at == 'waiting' then
    -- Rare, and of one that waited in vain near the head.
    call('LREM', ENDPOINT_LINE .. endpoint, 1, id)
  elseif at == 'handed' then
    call('HINCRBY', ENDPOINT .. endpoint, 'inflight', -1)
    call('HINCRBY', OUTGOING, 'all', -1)
    if call('HINCRBY', OUTGOING, 'of:' .. tenant, -1) == 0 then
      call('HDEL', OUTGOING, 'of:' .. tenant)
    end
  end
end

-- After an attempt: an endpoint that gave any answer lives; one that gave none, again and again, is
-- left alone for a while.
function Outbox.judge_endpoint(tenant, endpoint, answered)
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
    call('ZADD', PAUSED_ENDPOINTS, now + pause, endpoint .. ' ' .. tenant)
  end
end

-- An attempt's row: `started|ms|code|status|mark`, and what later releases add behind that; code is
-- empty while it is open.
function Outbox.read_delivery_attempt(id, number_of)
  local row = call('HGET', DELIVERY .. id, 'attempt:' .. number_of)
  if not row then
    return nil
  end
  local started, code, mark, more = row:match('^(%d+)|%d*|(.-)|%d*|([^|]*)(.*)$')
  return { started = started, code = code, mark = mark, more = more }
end

function Outbox.close_delivery_attempt(id, number_of, attempt, ms, code, status)
  call(
    'HSET',
    DELIVERY .. id,
    'attempt:' .. number_of,
    attempt.started .. '|' .. ms .. '|' .. code .. '|' .. status .. '|' .. attempt.mark .. attempt.more
  )
end

-- Records that `subject` (`job_…`, `batch_…`) became final with an event of this type. `webhook` is
-- what the subject's record says of it,
-- `<endpoint> <types, separated by commas> <URL>`, or false. Answers whether there is a delivery
-- now; the subject is then kept until it ended.
-- The delivery's id follows from the subject's: however often the event is sent, and whoever
-- records it, it is one event.
function Outbox.record_event(tenant, subject, event_type, webhook)
  if not webhook then
    return false
  end
  local endpoint, types, url = webhook:match('^(%S+) (%S+) (.+)$')
  if not (',' .. types .. ','):find(',' .. event_type .. ',', 1, true) then
    return false
  end
  local id = 'evt_' .. subject:match('_(.+)$')
  call(
    'HSET',
    DELIVERY .. id,
    'tenant',
    tenant,
    'subject',
    subject,
    'type',
    event_type,
    'endpoint',
    endpoint,
    'url',
    url,
    'happened',
    now,
    'status',
    'pending',
    'held',
    Outbox.hold_delivery(tenant, url)
  )
  call('ZADD', TENANT_DELIVERIES .. tenant, now, id)
  Outbox.keep_subject(subject)
  Outbox.enter_delivery(id, Outbox.read_delivery(id))
  return true
end

return Outbox
