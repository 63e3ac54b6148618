-- view-lines: lines of a batch as jobs, by their number.
--
-- In:  1 tenant, 2 stem, 3 number of the first line, 4 most lines (≤ 64)
-- Out: {} where the tenant has no such batch, or {lines of the batch, {number, id, what `view_job` answers}, …}; lines that were erased are left out

local tenant, stem = ARGV[1], ARGV[2]
if not is_readable(stem, tenant) then
  return {}
end
read_scheduler()
local total = tonumber(call('HGET', BATCH .. stem, 'total'))
local views = { total }
for number_of = tonumber(ARGV[3]), math.min(total, ARGV[3] + ARGV[4] - 1) do
  local text = line_text(number_of)
  local line = read_staged(stem .. text:sub(1, 3), text:sub(4))
  local id = 'job_' .. stem .. text .. line.proof
  local view = view_job(id, tenant, '', false)
  if #view > 0 then
    views[#views + 1] = { number_of, id, view }
  end
end
return views
