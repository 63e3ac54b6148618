-- Lanes, tenants and upstreams: who may be served next.
--
-- A lane stands in exactly one place, named by its field `at`:
--
--            first id                upstream parked
--     idle ──────────> ready ───────────────────────> parked
--      ^                │ ^ ^                            │
--      └────────────────┘ │ └────────────────────────────┘ due
--         last id taken   │
--                         │ a slot of the upstream is freed
--                       capped <──── upstream at its cap ──── ready
--
-- ready: in LANES <tenant>:<class>; parked: in PARKED; capped: in UPSTREAM_LANES.
-- A tenant is in READY exactly when a list of its lanes is not empty, it holds less than its share
-- and less than it may, and its next job does not wait for tokens.

local Lanes = {}

-- An upstream's answer "too many" may mean its account or that one job alone. Who else passes tells
-- them apart:
--
--           a job is throttled             park over: others probe, the suspect last
--     open ───────────────────> suspicion ─────────────────────────────> probing
--      ^ ^                                                                 │  │
--      │ └────── another passes: the park and the halved cap end with it ──┘  │ another is throttled too
--      │                                                                      v
--      └────── each success gives the cap one back ────────────────────── limited: parked for as long as asked
--
-- A job that is throttled again while many others passed stands apart: it waits by itself, holds
-- nobody back, and its worker may refuse it.
-- A lane of which nothing passed meanwhile stands apart too: it alone is parked, so that a tenant's
-- many impossible jobs cost the others no more than one.
-- Upstream: `suspect` (throttled last), `shared` (not it alone), `cap_before` ('' none),
-- `throttled_at`, `passes`, `events` (throttles that began a park).
-- Job: `throttles`. Job and lane: `throttled`, until a call ends otherwise: passes and events of
-- the upstream then, and how often in a row it stood apart. Lane: `parked_until`.
-- The former release knows none of these fields. What it leaves behind is an upstream without a suspect.

-- Where more than one slot exists, a tenth is kept free of any one tenant and of batch work, so
-- that a newcomer starts at once.
local SHARE = 0.9
-- An upstream that recovered this far has no cap any more.
local CAP_LIMIT = 1024
Lanes.PARK_LIMIT_MS = 3600 * 1000
-- As long as no job that probed after a park was throttled as well.
local FIRST_PARK_LIMIT_MS = 30 * 1000
-- Longer than a tick, so that others of the upstream get their turn before the one that was throttled.
local STEP_ASIDE_MS = 1500
-- A job stands apart if more others passed for each park that others caused.
local PASSES_AN_EVENT = 4
-- A limit that changed holds after this long for whom it kept out of READY.
local LOOK_AGAIN_MS = 3000
-- A job's charge, before any job of its lane was measured.
Lanes.FIRST_CHARGE_MS = 1000

function Lanes.read_capacity()
  local slots, first_expiry = 0, math.huge
  local workers = call('HGETALL', WORKERS)
  for i = 1, #workers, 2 do
    local count, expiry = workers[i + 1]:match('^(%d+):(%d+)$')
    if tonumber(expiry) <= now then
      call('HDEL', WORKERS, workers[i])
    else
      slots = slots + tonumber(count)
      first_expiry = math.min(first_expiry, tonumber(expiry))
    end
  end
  -- Without a worker there is nothing to grow stale.
  if first_expiry == math.huge then
    first_expiry = 0
  end
  call('HSET', SCHEDULER, 'capacity', slots, 'capacity_until', first_expiry)
  return slots
end

-- The window is what workers can hold now and a margin for what they finish in 50 ms: without it a
-- fast worker idles between hand-offs.
function Lanes.read_scheduler()
  local row = call(
    'HMGET',
    SCHEDULER,
    'virtual',
    'capacity',
    'capacity_until',
    'rate',
    'batch_inflight',
    'max_in_flight',
    'tokens_per_minute'
  )
  local capacity = number(row[2], 0)
  local expiry = number(row[3], 0)
  if capacity > 0 and expiry <= now then
    capacity = Lanes.read_capacity()
  end
  local margin = number(row[4], 0) * 0.05
  margin = math.ceil(math.min(math.max(margin, capacity * 0.05), capacity))
  scheduler = {
    virtual = number(row[1], 0),
    window = capacity + margin,
    -- Of the slots, not of the window: what is handed off beyond the slots would stand before the
    -- newcomer in BullMQ.
    share = math.max(1, math.floor(capacity * SHARE)),
    batch_inflight = number(row[5], 0),
    -- Of tenants without limits of their own.
    max_in_flight = number(row[6], math.huge),
    tokens_per_minute = number(row[7], math.huge),
  }
  if capacity <= 1 then
    scheduler.share = math.max(1, scheduler.window)
  end
end

function Lanes.key(tenant, class)
  return LANES .. tenant .. ':' .. class
end

-- Makes READY, READY_INTERACTIVE and CAPPED tell the truth about a tenant. `start` is its virtual
-- start where it has just changed.
-- Answers whether it may be served.
function Lanes.place_tenant(tenant, start)
  local interactive = call('LLEN', Lanes.key(tenant, 'interactive')) > 0
  local runnable = interactive or call('LLEN', Lanes.key(tenant, 'batch')) > 0
  local row = call('HMGET', TENANT .. tenant, 'inflight', 'own', 'max_in_flight', 'tokens_until')
  local inflight = number(row[1], 0)
  local tokens_until = number(row[4], 0)
  if
    runnable
    and (inflight >= scheduler.share or inflight >= number(row[3], scheduler.max_in_flight) or tokens_until > now)
  then
    local look_at = inflight >= scheduler.share and now or now + LOOK_AGAIN_MS
    call('ZADD', CAPPED, tokens_until > now and math.min(look_at, tokens_until) or look_at, tenant)
    runnable = false
  end
  local listed = call('ZSCORE', READY, tenant)
  if runnable then
    if not start then
      -- Of two that start now, the one that holds nothing goes first.
      start = listed or math.max(scheduler.virtual + (inflight > 0 and 1 or 0), number(row[2], 0))
    end
    call('ZADD', READY, start, tenant)
    if interactive then
      call('ZADD', READY_INTERACTIVE, start, tenant)
    else
      call('ZREM', READY_INTERACTIVE, tenant)
    end
  elseif start or listed then
    call('HSET', TENANT .. tenant, 'own', start or listed)
    if listed then
      call('ZREM', READY, tenant)
      call('ZREM', READY_INTERACTIVE, tenant)
    end
  end
  return runnable
end

-- Lane and upstream for jobs up to a deadline: they must outlive every job in them by the longest
-- park; a little more, so that not every job has to say so.
function Lanes.keep_lane(lane, tenant, class, upstream, deadline)
  local life = deadline - now + Lanes.PARK_LIMIT_MS
  if call('PTTL', LANE .. lane) < life then
    life = life + Lanes.PARK_LIMIT_MS
    call('HSETNX', LANE .. lane, 'at', 'idle')
    call('HSET', LANE .. lane, 'tenant', tenant, 'class', class, 'upstream', upstream)
    call('SADD', TENANTS, tenant)
    call('PEXPIRE', LANE .. lane, life)
    call('HSETNX', UPSTREAM .. upstream, 'inflight', 0)
    if call('PTTL', UPSTREAM .. upstream) < life then
      call('PEXPIRE', UPSTREAM .. upstream, life)
    end
  end
end

-- A lane that has ids and stands nowhere becomes ready. A parked upstream is noticed when the
-- lane's turn comes. Answers whether its turn may come.
function Lanes.enter_lane(lane)
  local row = call('HMGET', LANE .. lane, 'tenant', 'class', 'at')
  if row[1] and row[3] == 'idle' then
    call('HSET', LANE .. lane, 'at', 'ready')
    call('RPUSH', Lanes.key(row[1], row[2]), lane)
    call('ZADD', WAITING_LANES .. row[2], 'NX', now, lane)
    return Lanes.place_tenant(row[1])
  end
  return false
end

-- From parked or capped back to ready.
local function return_lane(lane)
  if call('EXISTS', LANE .. lane) == 1 then
    call('HSET', LANE .. lane, 'at', 'idle')
    return Lanes.enter_lane(lane)
  end
  return false
end

-- Returns lanes that waited for the cap, as many as it now allows; the bound is made up for by the
-- next release.
function Lanes.return_capped_lanes(upstream)
  if call('LLEN', UPSTREAM_LANES .. upstream) == 0 then
    return
  end
  local row = call('HMGET', UPSTREAM .. upstream, 'cap', 'inflight')
  local free = number(row[1], CAP_LIMIT) - number(row[2], 0)
  for _ = 1, 16 do
    local lane = free > 0 and call('LPOP', UPSTREAM_LANES .. upstream)
    if not lane then
      return
    end
    -- One whose tenant is held back by a limit of its own does not use the slot.
    if return_lane(lane) then
      free = free - 1
    end
  end
end

-- How often in a row a job or lane would have stood apart, were it throttled now. `throttled`: its
-- field, false where it has none; `kept`: whether that holds without news of others.
function Lanes.apart_of(throttled, upstream, kept)
  local passes, events, apart = (throttled or ''):match('^(%d+) (%d+) (%d+)$')
  if not passes then
    return 0
  end
  local row = call('HMGET', UPSTREAM .. upstream, 'passes', 'events', 'parked_until')
  passes, events = number(row[1], 0) - passes, number(row[2], 0) - events
  if passes == 0 and events == 0 then
    return kept and tonumber(apart) or 0
  end
  return number(row[3], 0) <= now and passes > PASSES_AN_EVENT * events and apart + 1 or 0
end

-- A provider's throttle. Many calls in flight meet the same limit at once: only the first of them
-- halves the cap.
local function park_upstream(upstream, id, park_ms)
  local record = UPSTREAM .. upstream
  local row = call('HMGET', record, 'parked_until', 'cap', 'inflight', 'suspect')
  local parked_until = number(row[1], 0)
  local repeated = row[4] == id
  if row[4] and not repeated then
    call('HSET', record, 'shared', 1)
  end
  if parked_until <= now then
    if not repeated then
      if not row[4] then
        call('HSET', record, 'cap_before', row[2] or '')
      end
      call('HSET', record, 'cap', math.max(1, math.floor(number(row[2], number(row[3], 1)) / 2)))
      call('HINCRBY', record, 'strikes', 1)
    end
    call('HINCRBY', record, 'events', 1)
  end
  local limit = number(call('HGET', record, 'strikes'), 0) > 1 and Lanes.PARK_LIMIT_MS or FIRST_PARK_LIMIT_MS
  parked_until = math.max(parked_until, now + math.min(park_ms, limit))
  call('HSET', record, 'parked_until', parked_until, 'suspect', id, 'throttled_at', now)
  return parked_until
end

-- Parks whom a throttle of this job holds for. Answers when the job itself is tried again.
function Lanes.throttle(upstream, lane, id, wait_ms, park_ms)
  local record = LANE .. lane
  local row = call('HMGET', record, 'throttled', 'parked_until')
  local apart = Lanes.apart_of(call('HGET', JOB .. id, 'throttled'), upstream, true)
  local lane_apart = Lanes.apart_of(row[1], upstream, false)
  local parked_until = number(row[2], 0)
  local lane_parked = parked_until > now
  local due = now + wait_ms
  if apart == 0 then
    if not lane_parked and lane_apart == 0 then
      parked_until = park_upstream(upstream, id, park_ms)
    elseif not lane_parked then
      -- Longer each time: nothing else bounds how many of the lane are tried at once.
      parked_until = now + math.min(park_ms * 2 ^ (lane_apart - 1), FIRST_PARK_LIMIT_MS)
      call('HSET', record, 'parked_until', parked_until)
    end
    due = math.max(due, parked_until) + STEP_ASIDE_MS
  end
  local others = call('HMGET', UPSTREAM .. upstream, 'passes', 'events')
  local seen = number(others[1], 0) .. ' ' .. number(others[2], 0) .. ' '
  call('HSET', JOB .. id, 'throttled', seen .. apart)
  if not lane_parked then
    call('HSET', record, 'throttled', seen .. lane_apart)
  end
  return due
end

-- Lanes that were parked until the time that the upstream's park ended at; a bounded number, the
-- others wait for that time.
local function return_parked_lanes(upstream, parked_until)
  local lanes = call('ZRANGEBYSCORE', PARKED, parked_until, parked_until, 'LIMIT', 0, 64)
  for i = 1, #lanes do
    if call('HGET', LANE .. lanes[i], 'upstream') == upstream then
      call('ZREM', PARKED, lanes[i])
      return_lane(lanes[i])
    end
  end
end

-- A success of a job's call that began at `started`. One that began before the throttle says
-- nothing about it.
function Lanes.relieve(upstream, lane, id, started)
  local record = UPSTREAM .. upstream
  local row = call('HMGET', record, 'cap', 'throttled_at', 'suspect', 'shared', 'cap_before', 'parked_until')
  if started <= number(row[2], 0) then
    return
  end
  if row[2] then
    call('HINCRBY', record, 'passes', 1)
    call('HDEL', LANE .. lane, 'throttled', 'parked_until')
  end
  local cap = row[1]
  if row[3] then
    call('HDEL', record, 'suspect', 'shared', 'cap_before', 'parked_until')
    if number(row[6], 0) > now then
      return_parked_lanes(upstream, row[6])
    end
    if row[3] ~= id and not row[4] then
      cap = row[5] or cap
    end
  end
  if not cap then
    return
  end
  call('HDEL', record, 'strikes')
  local next_cap = number(cap, CAP_LIMIT) + 1
  if next_cap >= CAP_LIMIT then
    call('HDEL', record, 'cap')
  else
    call('HSET', record, 'cap', next_cap)
  end
end

-- Puts a job that had its turn back where it stood: before all that never had one, by ticket.
function Lanes.return_to_lane(id, lane, ticket)
  call('ZADD', LANE_BACK .. lane, ticket, id)
  Lanes.enter_lane(lane)
end

-- Due lanes and due ids, a bounded number.
function Lanes.wake(limit)
  local lanes = call('ZRANGEBYSCORE', PARKED, '-inf', now, 'LIMIT', 0, limit)
  for i = 1, #lanes do
    call('ZREM', PARKED, lanes[i])
    return_lane(lanes[i])
  end
  local ids = call('ZRANGEBYSCORE', DELAYED, '-inf', now, 'LIMIT', 0, limit)
  for i = 1, #ids do
    call('ZREM', DELAYED, ids[i])
    local job = call('HMGET', JOB .. ids[i], 'lane', 'ticket')
    if job[1] then
      Lanes.return_to_lane(ids[i], job[1], job[2])
    end
  end
end

return Lanes
