-- put-tenant: creates a tenant in the registry, or changes fields of one. Called again it changes
-- nothing more; a change leaves an audit row each time.
--
-- In:  tenant; mode: 'create' | 'change'; actor; wish: as JSON; stop_reason: of a stop order ('' none);
--      fields: field, value, …
-- Out: the record as field, value, …; {} where there is none to change

local tenant = input.tenant
if input.mode == 'create' then
  if call('HSETNX', TENANT_RECORD .. tenant, 'created', now) == 1 then
    Audit.append('tenant_created', tenant, input.actor, cjson.decode(input.wish))
  end
  call('ZADD', TENANT_RECORDS, 0, tenant)
elseif call('EXISTS', TENANT_RECORD .. tenant) == 0 then
  return {}
elseif #input.fields > 0 then
  Audit.append('tenant_changed', tenant, input.actor, cjson.decode(input.wish))
end
if #input.fields > 0 then
  call('HSET', TENANT_RECORD .. tenant, unpack(input.fields))
end
if input.stop_reason ~= '' then
  StopOrders.give(tenant, input.stop_reason, input.actor)
end
return call('HGETALL', TENANT_RECORD .. tenant)
