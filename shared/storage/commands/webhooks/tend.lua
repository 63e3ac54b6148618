-- tend: looks after the deliveries whose next step is due, the endpoints whose pause is over, and
-- the tenants whose room may have grown; a bounded number of each.
--
-- In:  slots: how many deliveries a worker has under way at once on this shard
-- Out: {1 where there may be more at once, else 0; {hand-offs}}

call('HSET', OUTGOING, 'slots', math.max(1, call('HLEN', WORKERS)) * input.slots)

local due = call('ZRANGEBYSCORE', OUTBOX, '-inf', now, 'LIMIT', 0, 64)
for i = 1, #due do
  local id = due[i]
  local delivery = Outbox.read_delivery(id)
  local at = delivery.at
  if delivery.status ~= 'pending' then
    Outbox.forget_delivery(id, delivery)
  elseif at == 'due' then
    Outbox.enter_delivery(id, delivery)
  elseif at == 'waiting' then
    Outbox.leave_place(id, delivery)
    Outbox.finish_delivery(id, delivery, 'failed', 'waited_too_long')
  elseif call('EXISTS', DELIVERIES .. id .. '-' .. delivery.handoff) == 1 then
    call('ZADD', OUTBOX, now + Outbox.HANDOFF_LATE_MS, id)
  else
    -- It never reached BullMQ, or was dropped there.
    Outbox.leave_place(id, delivery)
    Outbox.hand_off_delivery(id, delivery)
  end
end

local paused = call('ZRANGEBYSCORE', PAUSED_ENDPOINTS, '-inf', now, 'LIMIT', 0, 8)
for i = 1, #paused do
  local endpoint, tenant = paused[i]:match('^(%S+) (.+)$')
  call('ZREM', PAUSED_ENDPOINTS, paused[i])
  Outbox.serve_lines(tenant, endpoint)
end

local tenants = call('ZRANGEBYSCORE', WAITING_TENANTS, '-inf', now, 'LIMIT', 0, 8)
for i = 1, #tenants do
  Outbox.serve_turns(tenants[i])
  if call('EXISTS', ENDPOINT_TURNS .. tenants[i]) == 1 then
    call('ZADD', WAITING_TENANTS, now + Outbox.TOP_UP_MS, tenants[i])
  else
    call('ZREM', WAITING_TENANTS, tenants[i])
  end
end
return { (#due == 64 or #paused == 8 or #tenants == 8) and 1 or 0, deliveries }
