-- The audit log, one for each shard and one for the registry. A row is a JSON list: its kind, the tenant, then values in the order that shared/audit/audit-row.ts names them.
-- Values are texts ('' none), whole numbers or tables of them, and no part of any key is ever among them.
local function audit(kind, tenant, ...)
  call('XADD', AUDIT, '*', 'row', cjson.encode({ kind, tenant, ... }))
end
