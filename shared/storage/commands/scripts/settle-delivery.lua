-- settle-delivery: an attempt to deliver is over.
--
-- In:  1 id, 2 attempt, 3 mark, 4 next: delivered | retry | failed | disable (failed, and its URL gets no other) | hand_back (the worker could not finish it),
--      5 code of the attempt, 6 status of the answer ('' none), 7 ms that it took, 8 ms to wait where it is retried, 9 reason why nothing was sent ('' it was)
-- Out: {'delivered' | 'pending' | 'failed' | 'late' (another attempt goes on) | 'repeated' | 'gone', {hand-offs}}
--
-- A success of any attempt wins while the delivery is pending. Everything else acts only for the current attempt. Sent twice it acts once.

local id, number_of, mark, next_step, status = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[6]
local delivery = read_delivery(id)
local attempt = delivery[D.status] and read_delivery_attempt(id, number_of)
if not attempt then
  return { 'gone', {} }
end
if attempt.mark ~= mark or (attempt.code ~= '' and attempt.code ~= 'unknown') then
  return { 'repeated', {} }
end
close_delivery_attempt(id, number_of, attempt, ARGV[7], ARGV[5], status)
local current = delivery[D.at] == 'handed' and delivery[D.attempts] == number_of
if delivery[D.status] ~= 'pending' or not (current or next_step == 'delivered') then
  return { 'late', {} }
end

local tenant, endpoint = delivery[D.tenant], delivery[D.endpoint]
leave_place(id, delivery)
local became = 'failed'
if next_step == 'hand_back' then
  enter_delivery(id, delivery)
  became = 'pending'
else
  -- A mistake of our own says nothing of the endpoint.
  if ARGV[9] == '' and ARGV[5] ~= 'internal_error' then
    judge_endpoint(tenant, endpoint, status ~= '')
  end
  if next_step == 'delivered' then
    call('DEL', disabled_url(tenant, delivery[D.url]))
    finish_delivery(id, delivery, 'delivered')
    became = 'delivered'
  elseif next_step == 'retry' then
    call('HINCRBY', DELIVERY .. id, 'failures', 1)
    call('HSET', DELIVERY .. id, 'at', 'due')
    call('ZADD', OUTBOX, now + tonumber(ARGV[8]), id)
    became = 'pending'
  else
    if next_step == 'disable' then
      call('SET', disabled_url(tenant, delivery[D.url]), now, 'PX', DISABLED_LIFE_MS)
    end
    finish_delivery(id, delivery, 'failed', ARGV[9])
  end
end
serve_lines(tenant, endpoint)
return { became, deliveries }
