-- tick: once a second, by the worker that holds the lease: the completion rate, capped tenants, due
-- ids and lanes, bytes of what ended, and the next hand-offs.
--
-- In:  worker; lease_ms
-- Out: {'leader' | 'follower', {hand-offs}}

local leader = call('GET', UPKEEP_LEASE)
if leader and leader ~= input.worker then
  return { 'follower', {} }
end
call('SET', UPKEEP_LEASE, input.worker, 'PX', input.lease_ms)

local row = call('HMGET', SCHEDULER, 'released', 'rate', 'rate_released', 'rate_at')
local released = number(row[1], 0)
local elapsed = now - number(row[4], 0)
if elapsed > 200 then
  local rate = math.max(0, (released - number(row[3], 0)) * 1000 / elapsed)
  call('HSET', SCHEDULER, 'rate', (number(row[2], 0) + rate) / 2, 'rate_released', released, 'rate_at', now)
end
Lanes.read_capacity()
Lanes.read_scheduler()

local capped = call('ZRANGEBYSCORE', CAPPED, '-inf', now, 'LIMIT', 0, 64)
for i = 1, #capped do
  call('ZREM', CAPPED, capped[i])
  call('HDEL', TENANT .. capped[i], 'tokens_until')
  Lanes.place_tenant(capped[i])
end
Lanes.wake(64)

-- Bytes of jobs that Redis has ended, and of batches that the release before erased.
local parts = call('ZRANGEBYSCORE', STORED_UNTIL, '-inf', now, 'LIMIT', 0, 256)
for i = 1, #parts do
  local stem = parts[i]:match('^(%w+):')
  if #stem == 22 and call('EXISTS', BATCH .. stem) == 1 then
    call('ZADD', STORED_UNTIL, now + Bytes.BATCH_LOOK_MS, parts[i])
  else
    Bytes.give_back(parts[i])
  end
end
return { 'leader', Feed.serve(64) }
