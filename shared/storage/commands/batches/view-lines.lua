-- view-lines: lines of a batch as jobs, by their number.
--
-- In:  tenant; stem; first: number of the first line; max (≤ 64)
-- Out: {} where the tenant has no such batch, or {lines of the batch, {number, id, what
--      `Views.job` answers}, …}; lines that were erased are left out

local tenant, stem = input.tenant, input.stem
if not Views.is_readable(stem, tenant) then
  return {}
end
Lanes.read_scheduler()
local total = tonumber(call('HGET', BATCH .. stem, 'total'))
local views = { total }
for number_of = input.first, math.min(total, input.first + input.max - 1) do
  local text = Lines.number_text(number_of)
  local line = Lines.read_staged(stem .. text:sub(1, 3), text:sub(4))
  local id = 'job_' .. stem .. text .. line.proof
  local view = Views.job(id, tenant, '', false)
  if #view > 0 then
    views[#views + 1] = { number_of, id, view }
  end
end
return views
