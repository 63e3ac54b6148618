-- stop-work: from here on nothing that is stopped is let in, handed to a provider or tried again.
-- Carrying out an order again changes nothing.
--
-- In:  tenant; reason: key_revoked | tenant_disabled | tenant_deleted | tenant_erased (deleted, and its
--      data goes too) | cancelled (what it asked for up to now), or tenant_enabled (what it asks for from
--      now on may run); platform_key ('' all); order: its number ('' none: cancelled); actor
-- Out: nothing of use
-- What is stopped is ended by `end-work`. Crash window: none; STOPPING names the tenant until that is done.

local tenant, reason, key = input.tenant, input.reason, input.platform_key
local stops = STOPS .. tenant

-- So long after a key was revoked nothing of it is left that a mark would have to stop.
local KEY_MARK_MS = 24 * 3600 * 1000

-- Whether the order is news.
local function mark()
  if reason == 'cancelled' then
    call('HSET', stops, 'before', now)
    return true
  end
  if reason == 'key_revoked' then
    local marks = call('HGETALL', stops)
    for i = 1, #marks, 2 do
      if marks[i]:sub(1, 4) == 'key:' and tonumber(marks[i + 1]) + KEY_MARK_MS <= now then
        call('HDEL', stops, marks[i])
      end
    end
    return call('HSETNX', stops, 'key:' .. key, now) == 1
  end
  if tonumber(input.order) <= number(call('HGET', stops, 'order'), 0) then
    return false
  end
  call('HSET', stops, 'order', input.order)
  if reason == 'tenant_enabled' then
    if call('HDEL', stops, 'tenant') == 1 then
      call('HSET', stops, 'before', now)
    end
    return false
  end
  call('HSET', stops, 'tenant', reason == 'tenant_disabled' and reason or 'tenant_deleted')
  if reason == 'tenant_erased' then
    call('HSET', stops, 'erase', 1)
  end
  return true
end

if mark() then
  call('PERSIST', stops)
  if call('SADD', STOPPING, tenant) == 1 then
    call('HDEL', stops, 'jobs', 'batches', 'lines', 'running', 'ended')
    call('HSET', stops, 'began', now)
  end
  -- From the beginning, also of an end that is under way: it has passed what is stopped only now.
  call('HSET', stops, 'reason', reason, 'key', key, 'at', 'batches', 'cursor', '')
  Audit.append('work_stopped', tenant, input.actor, reason, key)
end
return 0
