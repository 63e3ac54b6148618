-- erase: forgets what a final job held. A stub stays behind for as long as an attempt of it may
-- still report usage; of a line, what its batch counts and lists.
--
-- In:  id; tenant; stub_ms: life of the stub
-- Out: 'gone' | 'conflict' | 'erased'

local id, tenant = input.id, input.tenant
local stem = Lines.batch_of(id)

if stem then
  local batch = call('HMGET', BATCH .. stem, 'tenant', 'published', 'erasing', 'stopped_as')
  local line = batch[1] == tenant and batch[2] and not batch[3] and Lines.read(id)
  if not line or line.erased then
    return 'gone'
  end
  if not FINAL[call('HGET', JOB .. id, 'status') or batch[4]] then
    return 'conflict'
  end
  local forgotten = call('STRLEN', RESULT .. id) + call('HSTRLEN', JOB .. id, 'detail') + #line.metadata + #line.request
  Bytes.change_batch(stem, tenant, -forgotten)
  call('HDEL', JOB .. id, 'detail')
  call('DEL', RESULT .. id)
  line.head, line.metadata = line.head .. ' erased', ''
  Lines.stage(id:sub(5, 29), id:sub(30, 30), line, '')
  return 'erased'
end

local job = call('HMGET', JOB .. id, 'tenant', 'status', 'erased', 'created', 'held')
if job[1] ~= tenant or job[3] then
  return 'gone'
end
if not FINAL[job[2]] then
  return 'conflict'
end
-- Its entry was made in the millisecond of its acceptance, or the next; one that the clock put
-- elsewhere goes when the retention is over.
local entries = call('XRANGE', JOBS .. tenant, job[4], string.format('%.0f', job[4] + 1), 'COUNT', 64)
for i = 1, #entries do
  if entries[i][2][2] == id then
    call('XDEL', JOBS .. tenant, entries[i][1])
  end
end
Jobs.forget(id, tenant, job[5], input.stub_ms)
return 'erased'
