-- test-webhook: a test event. It needs room as any other, but is sent also where its URL is
-- disabled or its endpoint paused.
--
-- In:  id; tenant; endpoint; url; watcher: API process that waits for it; max_stored_bytes: of the tenant
-- Out: {'sent', {hand-offs}}, or {'too_many_stored_bytes', bytes stored, bytes of this one}

local id, tenant = input.id, input.tenant
local stored, bytes = number(call('HGET', TENANT .. tenant, 'stored_bytes'), 0), Bytes.RECORD_BYTES + #input.url
if stored + bytes > input.max_stored_bytes then
  return { 'too_many_stored_bytes', stored, bytes }
end
call(
  'HSET',
  DELIVERY .. id,
  'tenant',
  tenant,
  'subject',
  '',
  'type',
  'webhook.test',
  'endpoint',
  input.endpoint,
  'url',
  input.url,
  'happened',
  now,
  'status',
  'pending',
  'held',
  Outbox.hold_delivery(tenant, input.url)
)
call('ZADD', TENANT_DELIVERIES .. tenant, now, id)
call('SADD', WATCHERS .. id, input.watcher)
call('PEXPIRE', WATCHERS .. id, 90000)
Outbox.enter_delivery(id, Outbox.read_delivery(id))
return { 'sent', deliveries }
