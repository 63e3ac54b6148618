-- read-webhook-secret: shows a tenant its webhook secrets. That it was shown is a row of the audit
-- log, for each platform key once a minute: a loop must not fill the log.
--
-- In:  tenant; platform_key: the one that asks
-- Out: {field, value, … of the secrets as they stand}

local READ_MS = 60000

local secrets, read = WEBHOOK_SECRETS .. input.tenant, 'read:' .. input.platform_key
if number(call('HGET', secrets, read), 0) + READ_MS <= now then
  Audit.append('webhook_secret_read', input.tenant, input.platform_key)
  if call('EXISTS', secrets) == 1 then
    call('HSET', secrets, read, now)
  end
end
return call('HGETALL', secrets)
