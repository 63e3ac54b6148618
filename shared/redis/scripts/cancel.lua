-- cancel: a waiting job is final at once; a running one is flagged, and its worker aborts the call.
--
-- In:  1 id, 2 tenant, 3 retention ms
-- Out: {'gone' | 'final' | 'cancelled' | 'requested', {hand-offs}}
-- The message to the workers may be lost: they read the flags with every heartbeat.

local id = ARGV[1]
local job = read_job(id)
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
finish(id, job, 'cancelled', tonumber(ARGV[3]), {})
return { 'cancelled', feed(4) }
