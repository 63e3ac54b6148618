-- reseal-webhook-secret: the same secret under another key; nothing changes where it was rotated or sealed again meanwhile.
--
-- In:  1 tenant, 2 field (`current` or `previous`), 3 the seal that was read, 4 the seal that takes its place
-- Out: 1 where it was exchanged, else 0

local secrets = WEBHOOK_SECRETS .. ARGV[1]
if call('HGET', secrets, ARGV[2]) ~= ARGV[3] then
  return 0
end
call('HSET', secrets, ARGV[2], ARGV[4])
return 1
