-- cancel: a waiting job is final at once; a running one is flagged, and its worker aborts the call.
--
-- In:  id; tenant; retention_ms
-- Out: {'gone' | 'final' | 'cancelled' | 'requested', {hand-offs}}
-- The message to the workers may be lost: they read the flags with every heartbeat.

local id = input.id
local job = Jobs.read(id)
local stem = Lines.batch_of(id)
if stem and not job.status then
  -- A line that has had no turn: it gets its record to end with, and its lane passes over it.
  local batch = call('HMGET', BATCH .. stem, 'tenant', 'status', 'stopped_as')
  if batch[1] == input.tenant and batch[3] then
    return { 'final', {} }
  end
  if batch[1] == input.tenant and batch[2] == 'in_progress' then
    Lines.open(stem, id)
    job = Jobs.read(id)
    call('HINCRBY', BATCH .. stem, 'gone:' .. job.lane:sub(24), 1)
  end
end
if job.tenant ~= input.tenant then
  return { 'gone', {} }
end
if FINAL[job.status] then
  return { 'final', {} }
end
Lanes.read_scheduler()
local became = Jobs.cancel(id, job, input.retention_ms)
return { became, became == 'cancelled' and Feed.serve(4) or {} }
