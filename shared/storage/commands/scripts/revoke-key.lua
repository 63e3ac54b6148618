-- revoke-key: ends a platform key of a tenant at once.
--
-- In:  1 tenant, 2 key, 3 who does it, 4 reason of a stop order ('' none)
-- Out: 'revoked' | 'gone'

local key = ARGV[2]
if call('HGET', PLATFORM_KEY .. key, 'tenant') ~= ARGV[1] then
  return 'gone'
end
call('DEL', PLATFORM_KEY .. key)
call('ZREM', TENANT_KEYS .. ARGV[1], key)
if ARGV[4] ~= '' then
  order_stop(ARGV[1] .. ':' .. key, ARGV[4], ARGV[3])
end
audit('key_revoked', ARGV[1], ARGV[3], key)
return 'revoked'
