-- Bytes of records that end, or are kept for longer; and those of batches.

-- Below 0 it could only get where the tenant was forgotten meanwhile.
local function change_stored(tenant, change)
  if change ~= 0 and call('HINCRBY', TENANT .. tenant, 'stored_bytes', change) <= 0 then
    call('HDEL', TENANT .. tenant, 'stored_bytes')
  end
end

local function forget_part(part)
  call('DEL', STORED_BYTES .. part)
  call('ZREM', STORED_UNTIL, part)
end

-- Takes a record's bytes out; answers its bytes, those of its request, and how many `stored_bytes` still counted: none where their time was up before.
local function leave_bytes(tenant, held)
  local bytes, ends, request = held:match('^(%d+) (%d+) (%d+)$')
  local part = ends .. ':' .. tenant
  local others = call('DECRBY', STORED_BYTES .. part, bytes)
  if others <= 0 then
    forget_part(part)
  end
  return tonumber(bytes), request, others < 0 and 0 or bytes
end

-- Of a record that is deleted before its time.
local function forget_held(tenant, held)
  local _, _, counted = leave_bytes(tenant, held)
  change_stored(tenant, -counted)
end

-- From here on a job has so many bytes more, no request, and is gone at `ends_ms`. Answers `held`, for its record.
local function move_bytes(tenant, held, more, ends_ms)
  local bytes, request, counted = leave_bytes(tenant, held)
  bytes = bytes - request + more
  change_stored(tenant, bytes - counted)
  return enter_bytes(tenant, bytes, ends_ms, 0)
end

-- A batch that was begun by the release before is not counted. One of whose lines that release ended some may be counted too low: never below 0.
local function change_batch_bytes(stem, tenant, change)
  if change == 0 then
    return
  end
  local part = stem .. ':' .. tenant
  local bytes = call('INCRBY', STORED_BYTES .. part, change)
  if bytes == change then
    call('DEL', STORED_BYTES .. part)
    return
  elseif bytes < 0 then
    call('SET', STORED_BYTES .. part, 0)
    change = change - bytes
  end
  change_stored(tenant, change)
end

local function give_back(part)
  change_stored(part:match(':(.+)$'), -number(call('GET', STORED_BYTES .. part), 0))
  forget_part(part)
end
