-- tend: looks after the deliveries whose next step is due, and the endpoints whose pause is over; a bounded number of each.
--
-- In:  nothing
-- Out: {1 where there may be more at once, else 0; {hand-offs}}

local due = call('ZRANGEBYSCORE', OUTBOX, '-inf', now, 'LIMIT', 0, 64)
for i = 1, #due do
  local id = due[i]
  local delivery = read_delivery(id)
  local at = delivery[D.at]
  if delivery[D.status] ~= 'pending' then
    call('DEL', DELIVERY .. id)
    call('ZREM', OUTBOX, id)
    if delivery[D.tenant] then
      call('ZREM', TENANT_DELIVERIES .. delivery[D.tenant], id)
      call('ZREM', FAILED_DELIVERIES .. delivery[D.tenant], id)
    end
  elseif at == 'due' then
    enter_delivery(id, delivery)
  elseif at == 'waiting' then
    finish_delivery(id, delivery, 'failed', 'waited_too_long')
  elseif call('EXISTS', DELIVERIES .. id .. '-' .. delivery[D.handoff]) == 1 then
    call('ZADD', OUTBOX, now + HANDOFF_LATE_MS, id)
  else
    -- It never reached BullMQ, or was dropped there.
    leave_endpoint(id, delivery)
    hand_off_delivery(id, delivery[D.endpoint])
  end
end

local endpoints = call('ZRANGEBYSCORE', PAUSED_ENDPOINTS, '-inf', now, 'LIMIT', 0, 16)
for i = 1, #endpoints do
  call('ZREM', PAUSED_ENDPOINTS, endpoints[i])
  serve_line(endpoints[i])
end
return { (#due == 64 or #endpoints == 16) and 1 or 0, deliveries }
