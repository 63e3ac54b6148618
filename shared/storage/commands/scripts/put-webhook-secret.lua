-- put-webhook-secret: gives a tenant its first webhook secret, or another one in its place.
--
-- In:  1 tenant, 2 sealed secret, 3 ms for which the one before signs too ('' : it is the first, and nothing changes where there is one), 4 platform key that asks
-- Out: {field, value, … of the secrets as they stand}

local secrets = WEBHOOK_SECRETS .. ARGV[1]
local row = call('HMGET', secrets, 'current', 'created')
if ARGV[3] == '' and row[1] then
  return call('HGETALL', secrets)
end
call('HDEL', secrets, 'previous', 'previous_expires')
if ARGV[3] ~= '' then
  if row[1] and tonumber(ARGV[3]) > 0 then
    call('HSET', secrets, 'previous', row[1], 'previous_expires', now + tonumber(ARGV[3]))
  end
  audit('webhook_secret_rotated', ARGV[1], ARGV[4])
end
call('SADD', TENANTS, ARGV[1])
call('HSET', secrets, 'current', ARGV[2], 'created', now)
return call('HGETALL', secrets)
