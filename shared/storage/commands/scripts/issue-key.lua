-- issue-key: gives a tenant a new platform key, on its own or in the place of another, whose name and scopes it takes over exactly.
--
-- In:  1 tenant, 2 id of the new key, 3 HMAC of its text, 4 pepper, 5 name, 6 scopes ('' all), 7 expiry ms ('' never),
--      8 id of the key that is replaced ('' none; then 5 to 7 are not read), 9 ms that this one stays valid, 10 most keys of a tenant, 11 ms that expired keys are shown, 12 who does it
-- Out: {'issued', record as field, value, …} | {'no_tenant'} | {'no_key'} | {'expired'} | {'full'}
-- Called again with the same id it changes nothing.

local tenant, id, replaced = ARGV[1], ARGV[2], ARGV[8]
if call('EXISTS', TENANT_RECORD .. tenant) == 0 then
  return { 'no_tenant' }
end
if call('EXISTS', PLATFORM_KEY .. id) == 1 then
  return { 'issued', call('HGETALL', PLATFORM_KEY .. id) }
end

local keys = call('ZRANGE', TENANT_KEYS .. tenant, 0, -1)
local count = #keys
for i = 1, #keys do
  local expires = number(call('HGET', PLATFORM_KEY .. keys[i], 'expires'), math.huge)
  if expires + tonumber(ARGV[11]) <= now then
    call('DEL', PLATFORM_KEY .. keys[i])
    call('ZREM', TENANT_KEYS .. tenant, keys[i])
    count = count - 1
  end
end

local record = { 'tenant', tenant, 'digest', ARGV[3], 'pepper', ARGV[4], 'created', now }
local function set(field, value)
  record[#record + 1] = field
  record[#record + 1] = value
end

if replaced == '' then
  set('name', ARGV[5])
  set('scopes', ARGV[6])
  if ARGV[7] ~= '' then
    set('expires', ARGV[7])
    set('lifetime', tonumber(ARGV[7]) - now)
  end
else
  local old = call('HMGET', PLATFORM_KEY .. replaced, 'tenant', 'name', 'scopes', 'lifetime', 'expires')
  if old[1] ~= tenant then
    return { 'no_key' }
  end
  local expires = number(old[5], math.huge)
  if expires <= now then
    return { 'expired' }
  end
  set('name', old[2])
  set('scopes', old[3])
  if old[4] then
    set('expires', now + tonumber(old[4]))
    set('lifetime', old[4])
  end
  if ARGV[9] == '0' then
    -- Gone at once, by no process's own clock.
    call('DEL', PLATFORM_KEY .. replaced)
    call('ZREM', TENANT_KEYS .. tenant, replaced)
    count = count - 1
  elseif count < tonumber(ARGV[10]) then
    -- A rotation never makes a key live longer.
    call('HSET', PLATFORM_KEY .. replaced, 'expires', math.min(expires, now + tonumber(ARGV[9])))
  end
end
if count >= tonumber(ARGV[10]) then
  return { 'full' }
end
call('HSET', PLATFORM_KEY .. id, unpack(record))
call('ZADD', TENANT_KEYS .. tenant, 0, id)
if replaced == '' then
  audit('key_issued', tenant, ARGV[12], id, ARGV[5], ARGV[6])
else
  audit('key_rotated', tenant, ARGV[12], id, replaced, tonumber(ARGV[9]))
end
return { 'issued', call('HGETALL', PLATFORM_KEY .. id) }
