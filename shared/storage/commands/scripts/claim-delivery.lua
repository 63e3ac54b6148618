-- claim-delivery: a worker takes a delivery's hand-off and opens an attempt, before anything is sent.
--
-- In:  1 id, 2 hand-off, 3 mark (the worker's own, of this try: the same call sent again gets the same attempt), 4 failures after which it is given up
-- Out: {'refused', {hand-offs}} where the hand-off is not the current one, or the delivery was given up, or
--      {'claimed', attempt, tenant, subject, type, URL, ms when it happened, failures, {field, value, … of the tenant's secrets}}
-- Crash window: a worker that dies after this leaves an open attempt; the next claim marks it `unknown` and counts it as a failure.

local id, mark = ARGV[1], ARGV[3]
local delivery = read_delivery(id)
if delivery[D.at] ~= 'handed' or delivery[D.handoff] ~= ARGV[2] then
  return { 'refused', {} }
end
local attempt, failures = number(delivery[D.attempts], 0), number(delivery[D.failures], 0)
local last = read_delivery_attempt(id, attempt)
local again = last and last.code == '' and last.mark == mark

if last and last.code == '' and not again then
  close_delivery_attempt(id, attempt, last, '', 'unknown', '')
  failures = call('HINCRBY', DELIVERY .. id, 'failures', 1)
  if failures >= tonumber(ARGV[4]) then
    leave_place(id, delivery)
    finish_delivery(id, delivery, 'failed')
    serve_lines(delivery[D.tenant], delivery[D.endpoint])
    return { 'refused', deliveries }
  end
end
if not again then
  attempt = call('HINCRBY', DELIVERY .. id, 'attempts', 1)
  call('HSET', DELIVERY .. id, 'attempt:' .. attempt, now .. '||||' .. mark)
  call('HDEL', DELIVERY .. id, 'attempt:' .. (attempt - MOST_ATTEMPTS_KEPT))
end
local event = call('HMGET', DELIVERY .. id, 'type', 'happened')
return {
  'claimed', attempt, delivery[D.tenant], delivery[D.subject], event[1], delivery[D.url], event[2], failures,
  call('HGETALL', WEBHOOK_SECRETS .. delivery[D.tenant]),
}
