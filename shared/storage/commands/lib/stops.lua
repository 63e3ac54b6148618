-- Stops: what must not run any more because the operator disabled or deleted its tenant, revoked
-- the platform key that asked for it, or cancelled all of the tenant's work.
--
-- STOPS of a tenant holds marks, which every script asks that lets work in or lets it run: `tenant`
-- (why all of its work is stopped), `key:<id>` (what this key asked for is
-- stopped; since when) and `before` (what was asked for up to then is stopped). What is stopped by
-- a mark is ended afterwards, piece by piece: see `end-work`.

local Stops = {}

Stops.STOPPED = 'stopped_by_operator'
-- So long after a tenant's deletion its marks and counts are kept.
Stops.STOPS_LIFE_MS = 14 * 24 * 3600 * 1000

-- Why work must not run; nil when it may. Work of releases that kept no key is judged by its
-- tenant. `asked`: when it was asked for, ms.
function Stops.reason_of(tenant, platform_key, asked)
  local marks = call('HMGET', STOPS .. tenant, 'tenant', 'key:' .. (platform_key or ''), 'before')
  if marks[1] then
    return marks[1]
  end
  if marks[2] then
    return 'key_revoked'
  end
  if marks[3] and number(asked, 0) <= tonumber(marks[3]) then
    return 'cancelled'
  end
  return nil
end

return Stops
