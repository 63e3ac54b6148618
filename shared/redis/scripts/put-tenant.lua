-- put-tenant: creates a tenant in the registry, or changes fields of one. Called again it changes nothing more.
--
-- In:  1 tenant, 2 'create' | 'change', 3… field, value, …
-- Out: the record as field, value, …; {} where there is none to change

local tenant = ARGV[1]
if ARGV[2] == 'create' then
  call('HSETNX', TENANT_RECORD .. tenant, 'created', now)
  call('ZADD', TENANT_RECORDS, 0, tenant)
elseif call('EXISTS', TENANT_RECORD .. tenant) == 0 then
  return {}
end
if #ARGV > 2 then
  call('HSET', TENANT_RECORD .. tenant, unpack(ARGV, 3))
end
return call('HGETALL', TENANT_RECORD .. tenant)
