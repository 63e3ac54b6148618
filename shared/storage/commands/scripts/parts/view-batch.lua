-- A batch as it stands.

-- Whether a tenant may see a batch: not while it is staged, nor when its retention is over, though it may still be stored for its webhook.
local function is_readable(stem, tenant)
  local row = call('HMGET', BATCH .. stem, 'tenant', 'published', 'erasing', 'retained')
  return row[1] == tenant and row[2] and not row[3] and number(row[4], math.huge) > now
end

-- {record as field, value, …; its ledger as field, value, …}, or {} where the tenant has no such batch.
local function view_batch(stem, tenant, watcher)
  if not is_readable(stem, tenant) then
    return {}
  end
  local row = call('HMGET', BATCH .. stem, 'status', 'id')
  if not FINAL[row[1]] then
    watch(row[2], watcher)
  end
  return { call('HGETALL', BATCH .. stem), call('HGETALL', BATCH_USAGE .. stem) }
end
