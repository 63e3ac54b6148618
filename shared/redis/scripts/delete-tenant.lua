-- delete-tenant: removes a tenant from the registry with all its keys, of which `issue-key` allows at most 64.
--
-- In:  1 tenant, 2 who does it
-- Out: 'deleted' | 'gone'

local tenant = ARGV[1]
local keys = call('ZRANGE', TENANT_KEYS .. tenant, 0, -1)
for i = 1, #keys do
  call('DEL', PLATFORM_KEY .. keys[i])
end
call('DEL', TENANT_KEYS .. tenant)
call('ZREM', TENANT_RECORDS, tenant)
if call('DEL', TENANT_RECORD .. tenant) == 0 then
  return 'gone'
end
audit('tenant_deleted', tenant, ARGV[2], #keys)
return 'deleted'
