-- trim-jobs: forgets what nobody can read any more in one piece of a tenant's index of jobs:
-- entries whose record is gone, or kept for its webhook alone.
--
-- In:  tenant; from: where the piece begins; retention_ms
-- Out: where the next piece begins, '' behind the last one
-- A record outlives its acceptance by its retention at least, so that younger entries need no look.

local entries =
  call('XRANGE', JOBS .. input.tenant, input.from, string.format('%.0f', now - input.retention_ms), 'COUNT', 64)
local over = {}
for i = 1, #entries do
  local job = call('HMGET', JOB .. entries[i][2][2], 'tenant', 'retained')
  if not job[1] or number(job[2], math.huge) <= now then
    over[#over + 1] = entries[i][1]
  end
end
if #over > 0 then
  call('XDEL', JOBS .. input.tenant, unpack(over))
end
return #entries == 64 and '(' .. entries[64][1] or ''
