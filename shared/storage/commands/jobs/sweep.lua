-- sweep: ends jobs whose deadline has passed, a bounded number.
--
-- In:  grace_ms: for running jobs, which their worker ends itself; retention_ms
-- Out: {number expired, {hand-offs}}
-- A running job that is ended here has lost its worker: its attempt is marked `unknown` and may still report.

Lanes.read_scheduler()
local retention = input.retention_ms
local due = call('ZRANGEBYSCORE', DEADLINES, '-inf', now, 'WITHSCORES', 'LIMIT', 0, 64)
local expired = 0
for i = 1, #due, 2 do
  local id = due[i]
  local job = Jobs.read(id)
  if not job.status then
    call('ZREM', DEADLINES, id)
  elseif job.status == 'queued' or tonumber(due[i + 1]) + input.grace_ms <= now then
    Jobs.close_lost_attempt(id, job, 'lost')
    Jobs.finish(id, job, 'expired', retention, { error = 'deadline_exceeded' })
    expired = expired + 1
  end
end
return { expired, expired > 0 and Feed.serve(64) or {} }
