-- put-webhook-secret: gives a tenant its first webhook secret, or another one in its place.
--
-- In:  tenant; sealed; overlap_ms: how long the one before signs too ('' it is the first, and nothing
--      changes if there is one); platform_key: the one that asks
-- Out: {field, value, … of the secrets as they stand}

local secrets = WEBHOOK_SECRETS .. input.tenant
local row = call('HMGET', secrets, 'current', 'created')
if input.overlap_ms == '' and row[1] then
  return call('HGETALL', secrets)
end
call('HDEL', secrets, 'previous', 'previous_expires')
if input.overlap_ms ~= '' then
  if row[1] and tonumber(input.overlap_ms) > 0 then
    call('HSET', secrets, 'previous', row[1], 'previous_expires', now + tonumber(input.overlap_ms))
  end
  Audit.append('webhook_secret_rotated', input.tenant, input.platform_key)
end
call('SADD', TENANTS, input.tenant)
call('HSET', secrets, 'current', input.sealed, 'created', now)
return call('HGETALL', secrets)
