-- delete-tenant: removes a tenant from the registry with all its keys, of which `issue-key` allows at most 64.
--
-- In:  1 tenant, 2 who does it, 3 reason of a stop order ('' none); one that erases is given also of a tenant that is gone
-- Out: 'deleted' | 'gone'

local tenant = ARGV[1]
local keys = call('ZRANGE', TENANT_KEYS .. tenant, 0, -1)
for i = 1, #keys do
  call('DEL', PLATFORM_KEY .. keys[i])
end
call('DEL', TENANT_KEYS .. tenant)
call('ZREM', TENANT_RECORDS, tenant)
local existed = call('DEL', TENANT_RECORD .. tenant) == 1
if ARGV[3] == 'tenant_erased' or existed and ARGV[3] ~= '' then
  order_stop(tenant, ARGV[3], ARGV[2])
end
if not existed then
  return 'gone'
end
audit('tenant_deleted', tenant, ARGV[2], #keys)
return 'deleted'
