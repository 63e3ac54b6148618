-- delete-tenant: removes a tenant from the registry with all its keys, of which `issue-key` allows
-- at most 64.
--
-- In:  tenant; actor; stop_reason: of a stop order ('' none); one that erases is given also of a tenant
--      that is gone
-- Out: 'deleted' | 'gone'

local tenant = input.tenant
local keys = call('ZRANGE', TENANT_KEYS .. tenant, 0, -1)
for i = 1, #keys do
  call('DEL', PLATFORM_KEY .. keys[i])
end
call('DEL', TENANT_KEYS .. tenant)
call('ZREM', TENANT_RECORDS, tenant)
local existed = call('DEL', TENANT_RECORD .. tenant) == 1
if input.stop_reason == 'tenant_erased' or existed and input.stop_reason ~= '' then
  StopOrders.give(tenant, input.stop_reason, input.actor)
end
if not existed then
  return 'gone'
end
Audit.append('tenant_deleted', tenant, input.actor, #keys)
return 'deleted'
