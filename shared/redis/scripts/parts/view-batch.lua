-- A batch as it stands.

-- {record as field, value, …; its ledger as field, value, …}, or {} where the tenant has no such batch.
local function view_batch(stem, tenant, watcher)
  local row = call('HMGET', BATCH .. stem, 'tenant', 'published', 'erasing', 'status', 'id')
  if row[1] ~= tenant or not row[2] or row[3] then
    return {}
  end
  if not FINAL[row[4]] then
    watch(row[5], watcher)
  end
  return { call('HGETALL', BATCH .. stem), call('HGETALL', BATCH_USAGE .. stem) }
end
