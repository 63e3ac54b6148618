-- feed: moves the next ids from lanes into the in-flight set, by start-time fair queueing between tenants.
--
-- `virtual` is the start of the tenant served last. To serve a tenant charges it the lane's average
-- slot time ÷ its weight; `release` corrects the charge by the real time.
-- Crash window: the hand-offs are returned to a Node process that adds them to BullMQ. Where it
-- dies before, `reconcile` finds them.

local Feed = {}

-- Cancelled and expired ids stay in their lane until they are met here. So many are skipped before
-- the next tenant is served, and so many in a call.
local SKIPS_A_TURN = 32
local SKIPS_A_CALL = 512
-- Every eighth dispatch of a tenant goes to its batch work: the only ageing there is.
local BATCH_TURN = 8

-- The next waiting id of a lane, its ticket and its tokens: nil where the lane is empty, false at
-- the bound of skips. A batch's lane lists its lines without their common beginning.
local function next_id(lane)
  local stem = Lines.batch_of_lane(lane)
  local served, found, ticket, tokens
  for _ = 1, SKIPS_A_TURN do
    local returned = call('ZPOPMIN', LANE_BACK .. lane)
    local id = returned[1] or call('LPOP', LANE_NEW .. lane)
    if not id then
      found = nil
      break
    end
    local fresh = not returned[1]
    if stem and fresh then
      id = 'job_' .. stem .. id
    end
    local job = call('HMGET', JOB .. id, 'status', 'ticket', 'tokens')
    if stem and fresh and not job[1] then
      job = Lines.open(stem, id)
    end
    if fresh then
      served = job[2] or served
    end
    if job[1] == 'queued' then
      found, ticket, tokens = id, job[2], tonumber(job[3] or nil)
      break
    end
    found = false
    if stem and fresh then
      call('HINCRBY', BATCH .. stem, 'gone:' .. lane:sub(24), -1)
    end
  end
  if served then
    call('HSET', LANE .. lane, 'served', served)
  end
  return found, ticket, tokens
end

local function take_lane(tenant, batch_allowed)
  local turn = call('HINCRBY', TENANT .. tenant, 'turn', 1)
  local first, second = 'interactive', 'batch'
  if turn % BATCH_TURN == 0 then
    first, second = second, first
  end
  local lane = (first == 'interactive' or batch_allowed) and call('LPOP', Lanes.key(tenant, first))
  if not lane and (second == 'interactive' or batch_allowed) then
    lane = call('LPOP', Lanes.key(tenant, second))
  end
  return lane
end

local function hand_off(id, tenant, lane, row, upstream, handoffs)
  local weight = number(call('HGET', TENANT .. tenant, 'weight'), 1)
  local charge = number(row[3], Lanes.FIRST_CHARGE_MS) / weight
  local handoff = call('HINCRBY', JOB .. id, 'handoff', 1)
  call('HSET', JOB .. id, 'charge', charge)
  call('HSET', INFLIGHT, id, handoff .. ':' .. now)
  call('HINCRBY', TENANT .. tenant, 'inflight', 1)
  Limits.count_waiting(tenant, row[1], -1)
  call('HINCRBY', UPSTREAM .. upstream, 'inflight', 1)
  if row[1] == 'batch' then
    scheduler.batch_inflight = call('HINCRBY', SCHEDULER, 'batch_inflight', 1)
  end
  handoffs[#handoffs + 1] = id .. '-' .. handoff
  return charge
end

-- Serves one lane's turn; answers the charge where an id was handed off, and false where the bound
-- of skips was met.
local function serve_lane(tenant, lane, handoffs)
  local row = call('HMGET', LANE .. lane, 'class', 'upstream', 'average', 'parked_until')
  local upstream = row[2]
  if not upstream then
    -- The lane outlived its last deadline: `sweep` ends whatever was left in it.
    call('DEL', LANE_NEW .. lane, LANE_BACK .. lane)
    call('ZREM', WAITING_LANES .. 'interactive', lane)
    call('ZREM', WAITING_LANES .. 'batch', lane)
    return nil
  end
  local limit = call('HMGET', UPSTREAM .. upstream, 'parked_until', 'cap', 'inflight', 'suspect')
  local parked_until = math.max(number(limit[1], 0), number(row[4], 0))
  if parked_until > now then
    call('HSET', LANE .. lane, 'at', 'parked')
    call('ZADD', PARKED, parked_until, lane)
    return nil
  end
  if limit[2] and number(limit[3], 0) >= tonumber(limit[2]) then
    call('HSET', LANE .. lane, 'at', 'capped')
    call('RPUSH', UPSTREAM_LANES .. upstream, lane)
    return nil
  end
  local id, ticket, tokens = next_id(lane)
  if id and id == limit[4] then
    -- Another probes, if there is one.
    local other, other_ticket, other_tokens = next_id(lane)
    if other then
      call('ZADD', LANE_BACK .. lane, ticket, id)
      id, ticket, tokens = other, other_ticket, other_tokens
    end
  end
  local charge
  if id then
    local wait_ms = Limits.take_tokens(id, tenant, tokens)
    if wait_ms > 0 then
      -- All is as it was before this turn, so that smaller jobs of the tenant do not overtake this
      -- one for ever.
      call('ZADD', LANE_BACK .. lane, ticket, id)
      call('LPUSH', Lanes.key(tenant, row[1]), lane)
      call('HINCRBY', TENANT .. tenant, 'turn', -1)
      call('HSET', TENANT .. tenant, 'tokens_until', now + wait_ms)
      Lanes.return_capped_lanes(upstream)
      return nil
    end
    charge = hand_off(id, tenant, lane, row, upstream, handoffs)
  end
  if call('EXISTS', LANE_NEW .. lane, LANE_BACK .. lane) > 0 then
    call('RPUSH', Lanes.key(tenant, row[1]), lane)
  else
    call('HSET', LANE .. lane, 'at', 'idle')
    call('ZREM', WAITING_LANES .. row[1], lane)
  end
  if id == nil then
    -- The turn was not used: another lane may have waited for it.
    Lanes.return_capped_lanes(upstream)
  end
  if id == false then
    return false
  end
  return charge
end

-- Hands off at most `limit` ids (≤ 64); answers `<job id>-<hand-off>` for each, and `<delivery
-- id>-<hand-off>` for what waits in `deliveries`.
function Feed.serve(limit)
  local handoffs = {}
  local skipped, turns_skipped = 0, 0
  local inflight = call('HLEN', INFLIGHT)
  for _ = 1, limit * 4 do
    if #handoffs >= limit or inflight + #handoffs >= scheduler.window then
      break
    end
    local batch_allowed = scheduler.batch_inflight < scheduler.share
    local top = call('ZRANGE', batch_allowed and READY or READY_INTERACTIVE, skipped, skipped, 'WITHSCORES')
    if #top == 0 and (skipped == 0 or turns_skipped * SKIPS_A_TURN >= SKIPS_A_CALL) then
      break
    end
    if #top == 0 then
      -- Everyone else had a turn.
      skipped = 0
      top = call('ZRANGE', batch_allowed and READY or READY_INTERACTIVE, 0, 0, 'WITHSCORES')
    end
    local tenant, start = top[1], tonumber(top[2])
    local lane = take_lane(tenant, batch_allowed)
    local charge = lane and serve_lane(tenant, lane, handoffs)
    if charge then
      scheduler.virtual = math.max(scheduler.virtual, start)
      call('HSET', SCHEDULER, 'virtual', scheduler.virtual)
      Lanes.place_tenant(tenant, start + charge)
    else
      if charge == false then
        skipped, turns_skipped = skipped + 1, turns_skipped + 1
      end
      Lanes.place_tenant(tenant)
    end
  end
  for i = 1, #deliveries do
    handoffs[#handoffs + 1] = deliveries[i]
  end
  return handoffs
end

return Feed
