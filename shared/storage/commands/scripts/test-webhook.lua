-- test-webhook: a test event. It needs room as any other, but is sent also where its URL is disabled or its endpoint paused.
--
-- In:  1 delivery id, 2 tenant, 3 endpoint, 4 URL, 5 API process that waits for it, 6 most bytes of the tenant that may be stored
-- Out: {'sent', {hand-offs}}, or {'too_many_stored_bytes', bytes stored, bytes of this one}

local id, tenant = ARGV[1], ARGV[2]
local stored, bytes = number(call('HGET', TENANT .. tenant, 'stored_bytes'), 0), RECORD_BYTES + #ARGV[4]
if stored + bytes > tonumber(ARGV[6]) then
  return { 'too_many_stored_bytes', stored, bytes }
end
call('HSET', DELIVERY .. id,
  'tenant', tenant, 'subject', '', 'type', 'webhook.test', 'endpoint', ARGV[3], 'url', ARGV[4], 'happened', now, 'status', 'pending',
  'held', hold_delivery(tenant, ARGV[4]))
call('ZADD', TENANT_DELIVERIES .. tenant, now, id)
call('SADD', WATCHERS .. id, ARGV[5])
call('PEXPIRE', WATCHERS .. id, 90000)
enter_delivery(id, read_delivery(id))
return { 'sent', deliveries }
