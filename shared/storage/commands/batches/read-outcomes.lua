-- read-outcomes: a batch's lines that are final, in the order in which they ended.
--
-- In:  tenant; stem; index: in BATCH_OUTCOMES, of the first; offset: in BATCH_REST, if a whole lane stands
--      there; max_lines (≤ 64); max_bytes: so many are enough; contents: 'result' | 'request'
-- Out: {} when nothing more has ended, {'gone'} when the tenant has no such batch (any more), or {place of
--      the next: index, offset; lines…}, each
--      {id, index and offset of the place after it, custom id as JSON, status, used, price version,
--      error, provider status, detail, result JSON}, or the same with {…, timeout ms, metadata
--      JSON, warnings JSON, request JSON} for the result

local stem, index, offset, limit = input.stem, input.index, input.offset, input.max_lines
if not Views.is_readable(stem, input.tenant) then
  return { 'gone' }
end
local stopped = call('HMGET', BATCH .. stem, 'stopped_as', 'stop_error')

local answer, looked, bytes = { index, offset }, 0, 0

local function take(suffix, never_ran)
  local id = 'job_' .. stem .. suffix
  looked = looked + 1
  local job = call('HMGET', JOB .. id, 'status', 'used', 'price_version', 'error', 'provider_status', 'detail')
  if never_ran then
    if job[1] then
      -- It was cancelled by itself, and has its own place.
      return
    end
    job = { stopped[1], false, false, Lines.error_without_turn(stopped[1], stopped[2]) or false, false, false }
  end
  local line = Lines.read(id)
  local row = { id, index, offset, line.custom_id }
  for i = 1, 6 do
    row[#row + 1] = job[i] or ''
  end
  if input.contents == 'request' then
    row[#row + 1] = line.timeout
    row[#row + 1] = line.metadata
    row[#row + 1] = line.warnings or ''
    row[#row + 1] = line.request
  else
    row[#row + 1] = call('GET', RESULT .. id) or ''
  end
  bytes = bytes + #row[#row] + 200
  answer[#answer + 1] = row
end

local function has_room()
  return looked < limit and bytes < input.max_bytes
end

local entries = call('LRANGE', BATCH_OUTCOMES .. stem, index, index + limit - 1)
for i = 1, #entries do
  if not has_room() then
    break
  end
  local lane = entries[i]:match('^lane (%d+)$')
  if not lane then
    index = index + 1
    take(entries[i], false)
  else
    local of_lane = BATCH_REST .. stem .. '.' .. lane
    local suffixes = call('LRANGE', of_lane, offset, offset + limit - looked - 1)
    for k = 1, #suffixes do
      if not has_room() then
        break
      end
      offset = offset + 1
      take(suffixes[k], true)
    end
    if offset < call('LLEN', of_lane) then
      break
    end
    index, offset = index + 1, 0
  end
end
if looked == 0 then
  return {}
end
answer[1], answer[2] = index, offset
return answer
