-- reseal-webhook-secret: the same secret under another key; nothing changes where it was rotated or
-- sealed again meanwhile.
--
-- In:  tenant; field: `current` or `previous`; read: the seal that was read; sealed: the one that takes its
--      place
-- Out: 1 where it was exchanged, else 0

local secrets = WEBHOOK_SECRETS .. input.tenant
if call('HGET', secrets, input.field) ~= input.read then
  return 0
end
call('HSET', secrets, input.field, input.sealed)
return 1
