-- redeliver: sends a delivery again under its id, with a schedule that starts anew; or those that failed in a span of time, at most 64 a call.
--
-- In:  1 tenant, 2 id ('' those that failed), 3 from ms, 4 to ms ('' now); a caller that goes on passes the answer's time, so that what fails again meanwhile is left alone
-- Out: {'gone' (the tenant has no such delivery) | 'subject_gone' (what it tells of is no longer stored) | 'done', number sent again, 1 where there may be more else 0, ms now, {hand-offs}}
-- A pending one is tried at once instead of later; one that is on its way stays so. Its URL is enabled again.

local tenant = ARGV[1]

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
  local delivery = read_delivery(id)
  if delivery[D.tenant] ~= tenant then
    return 'gone'
  end
  if delivery[D.status] == 'pending' then
    if delivery[D.at] == 'due' then
      enter_delivery(id, delivery)
    end
    return 'done'
  end
  call('ZREM', FAILED_DELIVERIES .. tenant, id)
  if not is_stored(delivery[D.subject]) then
    return 'subject_gone'
  end
  call('DEL', disabled_url(tenant, delivery[D.url]))
  call('HDEL', DELIVERY .. id, 'failures', 'finished', 'reason')
  call('HSET', DELIVERY .. id, 'status', 'pending')
  keep_subject(delivery[D.subject])
  enter_delivery(id, delivery)
  return 'done'
end

if ARGV[2] ~= '' then
  local answer = send_again(ARGV[2])
  return { answer, answer == 'done' and 1 or 0, 0, now, deliveries }
end
local failed = call('ZRANGEBYSCORE', FAILED_DELIVERIES .. tenant, ARGV[3], ARGV[4] == '' and now or ARGV[4], 'LIMIT', 0, 64)
local sent = 0
for i = 1, #failed do
  if send_again(failed[i]) == 'done' then
    sent = sent + 1
  end
end
return { 'done', sent, #failed == 64 and 1 or 0, now, deliveries }
