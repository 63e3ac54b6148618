-- revoke-key: ends a platform key of a tenant at once.
--
-- In:  tenant; id; actor; stop_reason: of a stop order ('' none)
-- Out: 'revoked' | 'gone'

local key = input.id
if call('HGET', PLATFORM_KEY .. key, 'tenant') ~= input.tenant then
  return 'gone'
end
call('DEL', PLATFORM_KEY .. key)
call('ZREM', TENANT_KEYS .. input.tenant, key)
if input.stop_reason ~= '' then
  StopOrders.give(input.tenant .. ':' .. key, input.stop_reason, input.actor)
end
Audit.append('key_revoked', input.tenant, input.actor, key)
return 'revoked'
