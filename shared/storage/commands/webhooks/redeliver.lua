-- redeliver: sends a delivery again under its id, with a schedule that starts anew; or those that
-- failed in a span of time, at most 64 a call.
--
-- In:  tenant; id ('' those that failed); from_ms; to_ms ('' now; who goes on passes the answer's time, so
--      that what fails again meanwhile is left alone); skip: how many of them earlier calls left where they
--      are
-- Out: {'gone' (the tenant has no such delivery) | 'subject_gone' (what it tells of is no
--      longer stored) | 'too_soon' | 'done', number sent again, 1 where there may be more else 0,
--      ms now, {hand-offs}, number that was too soon and left}
-- Each delivery is sent again at most once in REDELIVERY_SPACING_MS, counted in its field `again`;
-- without the field it was not sent again yet.
-- A pending one is tried at once instead of later; one that is on its way stays so. Its URL is enabled again.

local REDELIVERY_SPACING_MS = 10000

local tenant = input.tenant

local function is_stored(subject)
  if subject:sub(1, 6) == 'batch_' then
    local batch = call('HMGET', BATCH .. subject:sub(7, 28), 'published', 'erasing')
    return batch[1] and not batch[2]
  end
  if subject:sub(1, 4) ~= 'job_' then
    return true
  end
  local job = call('HMGET', JOB .. subject, 'status', 'erased')
  return job[1] and not job[2]
end

local function send_again(id)
  local delivery = Outbox.read_delivery(id)
  if delivery.tenant ~= tenant then
    return 'gone'
  end
  local too_soon = now - number(call('HGET', DELIVERY .. id, 'again'), 0) < REDELIVERY_SPACING_MS
  if delivery.status == 'pending' then
    if too_soon then
      return 'too_soon'
    end
    call('HSET', DELIVERY .. id, 'again', now)
    if delivery.at == 'due' then
      Outbox.enter_delivery(id, delivery)
    end
    return 'done'
  end
  if not is_stored(delivery.subject) then
    call('ZREM', FAILED_DELIVERIES .. tenant, id)
    return 'subject_gone'
  end
  if too_soon then
    return 'too_soon'
  end
  call('ZREM', FAILED_DELIVERIES .. tenant, id)
  call('DEL', Outbox.disabled_url(tenant, delivery.url))
  call('HDEL', DELIVERY .. id, 'failures', 'finished', 'reason')
  call('HSET', DELIVERY .. id, 'status', 'pending', 'again', now)
  Outbox.keep_subject(delivery.subject)
  Outbox.enter_delivery(id, delivery)
  return 'done'
end

if input.id ~= '' then
  local answer = send_again(input.id)
  return { answer, answer == 'done' and 1 or 0, 0, now, deliveries, 0 }
end
local failed = call(
  'ZRANGEBYSCORE',
  FAILED_DELIVERIES .. tenant,
  input.from_ms,
  input.to_ms == '' and now or input.to_ms,
  'LIMIT',
  input.skip,
  64
)
local sent, left = 0, 0
for i = 1, #failed do
  local answer = send_again(failed[i])
  if answer == 'done' then
    sent = sent + 1
  elseif answer == 'too_soon' then
    left = left + 1
  end
end
return { 'done', sent, #failed == 64 and 1 or 0, now, deliveries, left }
