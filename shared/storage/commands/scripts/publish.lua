-- publish: makes a staged batch one that runs, with all its lines, in one step. Called again it changes nothing.
--
-- In:  1 stem, 2 tenant, 3 deadline ms, 4 sealed key ('' none), 5 metadata JSON ('' none), 6 webhook as `record_event` takes it ('' none), 7 errors of lines left out, as JSON ('' none), 8 number of lines left out,
--      9 digest of the request, 10 ms that the idempotency entry stays, 11 most lines of the tenant that may wait, 12 most hand-offs to make, then for each lane (≤ 64): 13 model, 14 upstream
-- Out: {'published', what `view_batch` answers, {hand-offs}}, {'too_many_queued', lines that wait}, {'stopped', why as of `stop_of`}, or {'lost'} where the batch is not being staged any more
-- Crash window: the API may die before it adds the hand-offs to BullMQ; `reconcile` finds them.

local stem, tenant, deadline = ARGV[1], ARGV[2], tonumber(ARGV[3])
local row = call('HMGET', BATCH .. stem, 'status', 'id', 'total', 'idempotency', 'published', 'platform_key', 'begun')
if row[5] then
  return { 'published', view_batch(stem, tenant, ''), {} }
end
if row[1] ~= 'staging' or row[4] and call('GET', IDEMPOTENCY .. row[4]) ~= '- ' .. row[2] then
  return { 'lost' }
end
local stopped = stop_of(tenant, row[6], row[7])
if stopped then
  return { 'stopped', stopped }
end
local waiting = number(call('HGET', TENANT .. tenant, 'waiting:batch'), 0)
if waiting + row[3] > tonumber(ARGV[11]) then
  return { 'too_many_queued', waiting }
end

read_scheduler()
local record = {
  'status', 'in_progress', 'published', now, 'deadline', ARGV[3], 'unfinished', row[3], 'lanes', (#ARGV - 12) / 2,
  'skipped', ARGV[8], 'entry', call('XADD', BATCHES .. tenant, '*', 'id', row[2]),
}
local optional = { 'metadata', ARGV[5], 'webhook', ARGV[6], 'errors', ARGV[7] }
for i = 1, #optional, 2 do
  if optional[i + 1] ~= '' then
    record[#record + 1] = optional[i]
    record[#record + 1] = optional[i + 1]
  end
end
for i = 13, #ARGV, 2 do
  local n = (i - 13) / 2
  local lane = stem .. '.' .. n
  record[#record + 1] = 'model:' .. n
  record[#record + 1] = ARGV[i]
  keep_lane(lane, tenant, 'batch', ARGV[i + 1], deadline)
  -- Upkeep that comes late must still find all that waits: the lane goes with its batch.
  call('PERSIST', LANE .. lane)
  enter_lane(lane)
end
call('HSET', BATCH .. stem, unpack(record))
-- Its lines passed the limit; beside them this is little.
change_batch_bytes(stem, tenant, #ARGV[5] + #ARGV[6] + #ARGV[7])
count_waiting(tenant, 'batch', row[3])
if ARGV[4] ~= '' then
  call('SET', SEALED .. stem, ARGV[4], 'PXAT', deadline + 60000)
end
if row[4] then
  call('SET', IDEMPOTENCY .. row[4], ARGV[9] .. ' ' .. row[2], 'PX', ARGV[10])
end
call('ZADD', BATCH_DUE, deadline, stem)
return { 'published', view_batch(stem, tenant, ''), feed(tonumber(ARGV[12])) }
