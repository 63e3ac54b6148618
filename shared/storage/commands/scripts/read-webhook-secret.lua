-- read-webhook-secret: shows a tenant its webhook secrets. That it was shown is a row of the audit log, for each platform key once a minute: a loop must not fill the log.
--
-- In:  1 tenant, 2 platform key that asks
-- Out: {field, value, … of the secrets as they stand}

local READ_MS = 60000

local secrets, read = WEBHOOK_SECRETS .. ARGV[1], 'read:' .. ARGV[2]
if number(call('HGET', secrets, read), 0) + READ_MS <= now then
  audit('webhook_secret_read', ARGV[1], ARGV[2])
  if call('EXISTS', secrets) == 1 then
    call('HSET', secrets, read, now)
  end
end
return call('HGETALL', secrets)
