-- test-webhook: a test event. It needs room as any other, but is sent also where its URL is disabled or its endpoint paused.
--
-- In:  1 delivery id, 2 tenant, 3 endpoint, 4 URL, 5 API process that waits for it
-- Out: {hand-offs}

local id, tenant = ARGV[1], ARGV[2]
call('HSET', DELIVERY .. id,
  'tenant', tenant, 'subject', '', 'type', 'webhook.test', 'endpoint', ARGV[3], 'url', ARGV[4], 'happened', now, 'status', 'pending')
call('ZADD', TENANT_DELIVERIES .. tenant, now, id)
call('SADD', WATCHERS .. id, ARGV[5])
call('PEXPIRE', WATCHERS .. id, 90000)
enter_delivery(id, read_delivery(id))
return deliveries
