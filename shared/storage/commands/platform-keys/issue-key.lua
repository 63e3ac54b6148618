-- issue-key: gives a tenant a new platform key, on its own or in the place of another, whose name
-- and scopes it takes over exactly.
--
-- In:  tenant; id: of the new key; digest: HMAC of its text; pepper; name; scopes ('' all); expires_ms (''
--      never); replaced_id ('' none; else name, scopes and expires_ms are those of that key); overlap_ms:
--      how long that key stays valid; max_keys: of the tenant; shown_ms: how long expired keys are shown;
--      actor
-- Out: {'issued', record as field, value, …} | {'no_tenant'} | {'no_key'} | {'expired'} | {'full'}
-- Called again with the same id it changes nothing.

local tenant, id, replaced = input.tenant, input.id, input.replaced_id
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
  if expires + input.shown_ms <= now then
    call('DEL', PLATFORM_KEY .. keys[i])
    call('ZREM', TENANT_KEYS .. tenant, keys[i])
    count = count - 1
  end
end

local record = { tenant = tenant, digest = input.digest, pepper = input.pepper, created = now }
if replaced == '' then
  record.name = input.name
  record.scopes = input.scopes
  if input.expires_ms ~= '' then
    record.expires = input.expires_ms
    record.lifetime = tonumber(input.expires_ms) - now
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
  record.name = old[2]
  record.scopes = old[3]
  if old[4] then
    record.expires = now + tonumber(old[4])
    record.lifetime = old[4]
  end
  if input.overlap_ms == 0 then
    -- Gone at once, by no process's own clock.
    call('DEL', PLATFORM_KEY .. replaced)
    call('ZREM', TENANT_KEYS .. tenant, replaced)
    count = count - 1
  elseif count < input.max_keys then
    -- A rotation never makes a key live longer.
    call('HSET', PLATFORM_KEY .. replaced, 'expires', math.min(expires, now + input.overlap_ms))
  end
end
if count >= input.max_keys then
  return { 'full' }
end
Records.write(PLATFORM_KEY .. id, record)
call('ZADD', TENANT_KEYS .. tenant, 0, id)
if replaced == '' then
  Audit.append('key_issued', tenant, input.actor, id, input.name, input.scopes)
else
  Audit.append('key_rotated', tenant, input.actor, id, replaced, input.overlap_ms)
end
return { 'issued', call('HGETALL', PLATFORM_KEY .. id) }
