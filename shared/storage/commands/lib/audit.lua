-- The audit log, one for each shard and one for the registry. A row is a JSON list: its kind, the
-- tenant, then values in the order that shared/domain/audit/audit-row.ts names them.
-- Values are texts ('' none), whole numbers or tables of them, and no part of any key is ever among them.
--
-- `cjson` and Lua's own conversion to text keep 14 digits. So a whole number goes out digit by digit, and
-- only the texts through `cjson`.

local Audit = {}

local function json(value)
  if type(value) == 'number' and value % 1 == 0 then
    return string.format('%.0f', value)
  elseif type(value) ~= 'table' or #value == 0 and next(value) == nil then
    return cjson.encode(value)
  end
  local members = {}
  if value[1] ~= nil then
    for i = 1, #value do
      members[i] = json(value[i])
    end
    return '[' .. table.concat(members, ',') .. ']'
  end
  for name, member in pairs(value) do
    members[#members + 1] = cjson.encode(name) .. ':' .. json(member)
  end
  return '{' .. table.concat(members, ',') .. '}'
end

function Audit.append(kind, tenant, ...)
  call('XADD', AUDIT, '*', 'row', json({ kind, tenant, ... }))
end

return Audit
