-- cancel: a waiting job is final at once; a running one is flagged, and its worker aborts the call.
--
-- In:  1 id, 2 tenant, 3 retention ms
-- Out: {'gone' | 'final' | 'cancelled' | 'requested', {hand-offs}}
-- The message to the workers may be lost: they read the flags with every heartbeat.

local id = ARGV[1]
local job = read_job(id)
local stem = batch_of(id)
if stem and not job[J.status] then
  -- A line that has had no turn: it gets its record to end with, and its lane passes over it.
  local batch = call('HMGET', BATCH .. stem, 'tenant', 'status', 'stopped_as')
  if batch[1] == ARGV[2] and batch[3] then
    return { 'final', {} }
  end
  if batch[1] == ARGV[2] and batch[2] == 'in_progress' then
    open_line(stem, id)
    job = read_job(id)
    call('HINCRBY', BATCH .. stem, 'gone:' .. job[J.lane]:sub(24), 1)
  end
end
if job[J.tenant] ~= ARGV[2] then
  return { 'gone', {} }
end
if FINAL[job[J.status]] then
  return { 'final', {} }
end
read_scheduler()
if job[J.status] == 'in_progress' then
  call('SADD', CANCELLING, id)
  call('PUBLISH', ABORTS, id)
  return { 'requested', {} }
end
finish_cancelled(id, job, tonumber(ARGV[3]))
return { 'cancelled', feed(4) }
