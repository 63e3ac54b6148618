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
-- `if_left`, 'keep' or 'cancel'; `let_in`, platform keys that sent its Idempotency-Key again;
-- `given_up`, 1 if it ended before it began because nobody waited.

local Waits = {}

-- How long a request is remembered from the last call that waited for a job of it.
local REMEMBERED_MS = 20 * 60000
-- So long after a hop its client has begun the next one, or is gone.
local FOLLOW_MS = 15000
-- Behind so many that are waited for, one that was left is not looked for.
local MOST_LOOKED_AT = 16
-- Whoever was not seen to be gone for so long could not be seen: nobody looked, because Redis or all
-- workers were away, and its client could not say that it waits.
local UNSEEN_MS = 10000

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

local function is_among(keys, platform_key)
  return keys and (' ' .. keys .. ' '):find(' ' .. platform_key .. ' ', 1, true) ~= nil
end

-- Whether a call with this platform key may wait for the job.
function Waits.lets_in(id, platform_key)
  local row = call('HMGET', JOB .. id, 'platform_key', 'awaited', 'let_in')
  return row[2] and (row[1] == platform_key or is_among(row[3], platform_key))
end

-- A call with this platform key has sent the job's Idempotency-Key again, and may wait for it. One
-- that was accepted for a client that does not wait ends for nobody's leaving.
function Waits.let_in(id, platform_key)
  local row = call('HMGET', JOB .. id, 'platform_key', 'awaited', 'let_in')
  if row[1] and not row[2] then
    call('HSET', JOB .. id, 'awaited', '-', 'if_left', 'keep')
  end
  if row[1] and row[1] ~= platform_key and not is_among(row[3], platform_key) then
    call('HSET', JOB .. id, 'let_in', (row[3] and row[3] .. ' ' or '') .. platform_key)
  end
end

-- `waiter` is gone, unless another has taken its place.
function Waits.leave(id, waiter)
  local row = call('HMGET', JOB .. id, 'awaited', 'if_left', 'waiter')
  if row[1] and row[3] == waiter then
    set_lease(id, row[1], now, now, row[2])
  end
end

-- A call has the job's end, or there will be none that answers it: nobody takes the job over.
function Waits.forget(id)
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

local function is_stored(key, id)
  local row = call('HMGET', JOB .. id, 'tenant', 'erased', 'retained')
  if row[1] and not row[2] and number(row[3], math.huge) > now then
    return true
  end
  call('ZREM', key, id)
  return false
end

-- A job of the same request that was left, or that `waiter` has taken over already; nil if there is
-- none. `entries`: names in WAITED of the request, with spaces between. Whoever sends again left
-- theirs last, or their API process is gone.
function Waits.find_left(entries, waiter)
  for entry in entries:gmatch('%S+') do
    local key = WAITED .. entry
    local left = call('ZREVRANGEBYSCORE', key, now, '-inf', 'LIMIT', 0, MOST_LOOKED_AT)
    for i = 1, #left do
      if is_stored(key, left[i]) then
        return left[i]
      end
    end
    local held = call('ZRANGEBYSCORE', key, '(' .. now, '+inf', 'LIMIT', 0, MOST_LOOKED_AT)
    for i = 1, #held do
      local is_own = call('HGET', JOB .. held[i], 'waiter') == waiter
      if is_stored(key, held[i]) and (is_own or not is_served(held[i])) then
        return held[i]
      end
    end
  end
  return nil
end

-- What stands for the request that an Idempotency-Key came with, and its job; nil if there is none,
-- or if it never began because nobody waited: then the key may bring another.
function Waits.first_of(idempotency_entry)
  local first = idempotency_entry ~= '' and call('GET', IDEMPOTENCY .. idempotency_entry)
  if not first then
    return nil
  end
  local digest, id = first:match('^(%S+) (%S+)$')
  if call('HGET', JOB .. id, 'given_up') then
    return nil
  end
  return digest, id
end

-- Jobs that were left `left_ms` ago and that nobody took over since, each named once; and how many
-- were looked at, `most` at most. Whoever could not be seen for long has that time again.
function Waits.take_left(left_ms, most)
  local due = call('ZRANGEBYSCORE', LEASES, '-inf', now - left_ms, 'WITHSCORES', 'LIMIT', 0, most)
  local left = {}
  for i = 1, #due, 2 do
    if tonumber(due[i + 1]) < now - left_ms - UNSEEN_MS then
      call('ZADD', LEASES, now, due[i])
    else
      call('ZREM', LEASES, due[i])
      left[#left + 1] = due[i]
    end
  end
  return left, #due / 2
end

return Waits
