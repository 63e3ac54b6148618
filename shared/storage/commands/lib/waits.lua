-- Waits: a call that waits for the job that it submitted, in hops. If it breaks, whoever sends the
-- same request again takes the job over; a job that nobody comes back for is ended.
--
--   submit ──> waited for ──answered──> nobody may take it over
--                 │    ▲
--       leave, or │    │ next hop, or
--   the hold ends ▼    │ taken over
--               left ──LEFT_MS──> cancelled if it has not begun, or as its `if_left` says
--
-- A hold that ends by itself leads to the next hop: for that its client has FOLLOW_MS before LEFT_MS
-- begin. But a client that ran out of time on the way there may take its job over at once.
--
-- In the job's record: `awaited`, the entry of its request in WAITED ('-' none: its Idempotency-Key
-- alone says what is the same); `waiter`, `<API process>.<number>`, the call that is held for it;
-- `if_left`, 'keep' or 'cancel'.

local Waits = {}

-- How long a request is remembered from the last call that waited for a job of it.
local REMEMBERED_MS = 20 * 60000
-- So long after a hop its client has begun the next one, or is gone.
local FOLLOW_MS = 15000
-- Behind so many that are waited for, one that was left is not looked for.
local MOST_LOOKED_AT = 16

-- `held_until`: after that it may be taken over; `gone_at`: since then its client is gone.
local function set_lease(id, awaited, held_until, gone_at, if_left)
  if awaited ~= '-' then
    local key = WAITED .. awaited
    call('ZADD', key, held_until, id)
    call('ZREMRANGEBYSCORE', key, '-inf', now - REMEMBERED_MS)
    call('PEXPIRE', key, REMEMBERED_MS)
  end
  if if_left ~= 'keep' then
    call('ZADD', LEASES, gone_at, id)
  end
end

-- `waiter` is held for this job, for `hold_ms` unless it says otherwise.
function Waits.wait_on(id, waiter, hold_ms)
  local row = call('HMGET', JOB .. id, 'awaited', 'if_left')
  if row[1] then
    call('HSET', JOB .. id, 'waiter', waiter)
    set_lease(id, row[1], now + hold_ms, now + hold_ms + FOLLOW_MS, row[2])
  end
end

-- `waiter` is gone, unless another has taken its place.
function Waits.leave(id, waiter)
  local row = call('HMGET', JOB .. id, 'awaited', 'if_left', 'waiter')
  if row[1] and row[3] == waiter then
    set_lease(id, row[1], now, now, row[2])
  end
end

-- A call has the job's end.
function Waits.answered(id)
  local awaited = call('HGET', JOB .. id, 'awaited')
  call('ZREM', LEASES, id)
  if awaited and awaited ~= '-' then
    call('ZREM', WAITED .. awaited, id)
  end
end

-- Whether the process of the waiting call is there: it listens to news as long as it lives.
local function is_served(id)
  local waiter = call('HGET', JOB .. id, 'waiter')
  local reply = waiter and redis.pcall('PUBSUB', 'NUMSUB', NEWS .. waiter:match('^[^.]*'))
  return reply and (reply.err or reply[2] > 0)
end

local function is_stored(id)
  local row = call('HMGET', JOB .. id, 'tenant', 'erased', 'retained')
  return row[1] and not row[2] and number(row[3], math.huge) > now
end

-- A job of the same request that was left; nil if there is none. `entries`: names in WAITED of the
-- request, with spaces between. Whoever sends again left theirs last, or their API process is gone.
function Waits.find_left(entries)
  for entry in entries:gmatch('%S+') do
    local key = WAITED .. entry
    local left = call('ZREVRANGEBYSCORE', key, now, '-inf', 'LIMIT', 0, MOST_LOOKED_AT)
    for i = 1, #left do
      if is_stored(left[i]) then
        return left[i]
      end
    end
    local held = call('ZRANGEBYSCORE', key, '(' .. now, '+inf', 'LIMIT', 0, MOST_LOOKED_AT)
    for i = 1, #held do
      if is_stored(held[i]) and not is_served(held[i]) then
        return held[i]
      end
    end
  end
  return nil
end

-- Jobs that were left `left_ms` ago and that nobody took over since; each is named once. At most `most`.
function Waits.take_left(left_ms, most)
  local left = call('ZRANGEBYSCORE', LEASES, '-inf', now - left_ms, 'LIMIT', 0, most)
  for i = 1, #left do
    call('ZREM', LEASES, left[i])
  end
  return left
end

return Waits
