-- claim-delivery: a worker takes a delivery's hand-off and opens an attempt, before anything is sent.
--
-- In:  id; handoff; mark: the worker's own, of this try (the same call sent again gets the same attempt);
--      max_failures: after which it is given up
-- Out: {'refused', {hand-offs}} where the hand-off is not the current one, or the delivery was given up or its tenant deleted, or
--      {'claimed', attempt, tenant, subject, type, URL, ms when it happened, failures, {field,
--      value, … of the tenant's secrets}}
-- Crash window: a worker that dies after this leaves an open attempt; the next claim marks it
-- `unknown` and counts it as a failure.

local id, mark = input.id, input.mark
local delivery = Outbox.read_delivery(id)
if delivery.at ~= 'handed' or delivery.handoff ~= input.handoff then
  return { 'refused', {} }
end
local attempt, failures = number(delivery.attempts, 0), number(delivery.failures, 0)
local last = Outbox.read_delivery_attempt(id, attempt)
local again = last and last.code == '' and last.mark == mark

if last and last.code == '' and not again then
  Outbox.close_delivery_attempt(id, attempt, last, '', 'unknown', '')
  failures = call('HINCRBY', DELIVERY .. id, 'failures', 1)
  if failures >= input.max_failures then
    Outbox.leave_place(id, delivery)
    Outbox.finish_delivery(id, delivery, 'failed')
    Outbox.serve_lines(delivery.tenant, delivery.endpoint)
    return { 'refused', deliveries }
  end
end
if not again and Outbox.is_of_deleted(delivery) then
  Outbox.leave_place(id, delivery)
  Outbox.finish_delivery(id, delivery, 'failed', 'tenant_deleted')
  Outbox.serve_lines(delivery.tenant, delivery.endpoint)
  return { 'refused', deliveries }
end
if not again then
  attempt = call('HINCRBY', DELIVERY .. id, 'attempts', 1)
  call('HSET', DELIVERY .. id, 'attempt:' .. attempt, now .. '||||' .. mark)
  call('HDEL', DELIVERY .. id, 'attempt:' .. (attempt - Outbox.MOST_ATTEMPTS_KEPT))
end
local event = call('HMGET', DELIVERY .. id, 'type', 'happened')
return {
  'claimed',
  attempt,
  delivery.tenant,
  delivery.subject,
  event[1],
  delivery.url,
  event[2],
  failures,
  call('HGETALL', WEBHOOK_SECRETS .. delivery.tenant),
}
