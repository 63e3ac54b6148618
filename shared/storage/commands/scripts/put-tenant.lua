-- put-tenant: creates a tenant in the registry, or changes fields of one. Called again it changes nothing more; a change leaves an audit row each time.
--
-- In:  1 tenant, 2 'create' | 'change', 3 who does it, 4 what was wished, as JSON, 5 reason of a stop order ('' none), 6… field, value, …
-- Out: the record as field, value, …; {} where there is none to change

local tenant = ARGV[1]
if ARGV[2] == 'create' then
  if call('HSETNX', TENANT_RECORD .. tenant, 'created', now) == 1 then
    audit('tenant_created', tenant, ARGV[3], cjson.decode(ARGV[4]))
  end
  call('ZADD', TENANT_RECORDS, 0, tenant)
elseif call('EXISTS', TENANT_RECORD .. tenant) == 0 then
  return {}
elseif #ARGV > 5 then
  audit('tenant_changed', tenant, ARGV[3], cjson.decode(ARGV[4]))
end
if #ARGV > 5 then
  call('HSET', TENANT_RECORD .. tenant, unpack(ARGV, 6))
end
if ARGV[5] ~= '' then
  order_stop(tenant, ARGV[5], ARGV[3])
end
return call('HGETALL', TENANT_RECORD .. tenant)
