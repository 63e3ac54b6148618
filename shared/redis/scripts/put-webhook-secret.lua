-- put-webhook-secret: gives a tenant its first webhook secret, or another one in its place.
--
-- In:  1 tenant, 2 sealed secret, 3 'first' (changes nothing where there is one) | 'rotate', 4 ms for which the one before signs too
-- Out: {field, value, … of the secrets as they stand}

local secrets = WEBHOOK_SECRETS .. ARGV[1]
local row = call('HMGET', secrets, 'current', 'created')
if ARGV[3] == 'first' and row[1] then
  return call('HGETALL', secrets)
end
call('HDEL', secrets, 'previous', 'previous_expires')
if row[1] and tonumber(ARGV[4]) > 0 then
  call('HSET', secrets, 'previous', row[1], 'previous_expires', now + tonumber(ARGV[4]))
end
call('HSET', secrets, 'current', ARGV[2], 'created', now)
return call('HGETALL', secrets)
