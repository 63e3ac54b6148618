-- settle-delivery: an attempt to deliver is over.
--
-- In:  id; attempt; mark; next: delivered | retry | failed | disable (failed, and its URL gets no other) |
--      hand_back (the worker could not finish it); code; status: of the answer ('' none); duration_ms;
--      wait_ms: until it is retried; reason: why nothing was sent ('' it was)
-- Out: {'delivered' | 'pending' | 'failed' | 'late' (another attempt goes on) | 'repeated' |
--      'gone', {hand-offs}}
--
-- A success of any attempt wins while the delivery is pending. Everything else acts only for the
-- current attempt. Sent twice it acts once.

local id, number_of, mark, next_step, status = input.id, input.attempt, input.mark, input.next, input.status
local delivery = Outbox.read_delivery(id)
local attempt = delivery.status and Outbox.read_delivery_attempt(id, number_of)
if not attempt then
  return { 'gone', {} }
end
if attempt.mark ~= mark or (attempt.code ~= '' and attempt.code ~= 'unknown') then
  return { 'repeated', {} }
end
Outbox.close_delivery_attempt(id, number_of, attempt, input.duration_ms, input.code, status)
local current = delivery.at == 'handed' and delivery.attempts == number_of
if delivery.status ~= 'pending' or not (current or next_step == 'delivered') then
  return { 'late', {} }
end

local tenant, endpoint = delivery.tenant, delivery.endpoint
Outbox.leave_place(id, delivery)
local became = 'failed'
if next_step == 'hand_back' then
  Outbox.enter_delivery(id, delivery)
  became = 'pending'
else
  -- A mistake of our own says nothing of the endpoint.
  if input.reason == '' and input.code ~= 'internal_error' then
    Outbox.judge_endpoint(tenant, endpoint, status ~= '')
  end
  if next_step == 'delivered' then
    call('DEL', Outbox.disabled_url(tenant, delivery.url))
    Outbox.finish_delivery(id, delivery, 'delivered')
    became = 'delivered'
  elseif next_step == 'retry' then
    call('HINCRBY', DELIVERY .. id, 'failures', 1)
    call('HSET', DELIVERY .. id, 'at', 'due')
    call('ZADD', OUTBOX, now + input.wait_ms, id)
    became = 'pending'
  else
    if next_step == 'disable' then
      call('SET', Outbox.disabled_url(tenant, delivery.url), now, 'PX', Outbox.DISABLED_LIFE_MS)
    end
    Outbox.finish_delivery(id, delivery, 'failed', input.reason)
  end
end
Outbox.serve_lines(tenant, endpoint)
return { became, deliveries }
