-- Stop orders: what the registry has decided of a tenant's work, and the tenant's shard, which is
-- another slot, has still to carry out (`stop-work`).
-- Crash window: whoever gave the order dies before it is carried out; upkeep does it within a
-- second. Orders about a tenant are numbered, so that an old one never undoes a newer one.

local StopOrders = {}

-- `subject`: <tenant> or <tenant>:<platform key>.
function StopOrders.give(subject, reason, actor)
  call('HSET', STOP_ORDERS, subject, call('INCR', STOP_ORDER_NUMBER) .. ' ' .. reason .. ' ' .. actor)
end

return StopOrders
