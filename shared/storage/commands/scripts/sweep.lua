-- sweep: ends jobs whose deadline has passed, a bounded number.
--
-- In:  1 grace ms for running jobs (their worker ends them itself), 2 retention ms
-- Out: {number expired, {hand-offs}}
-- A running job that is ended here has lost its worker: its attempt is marked `unknown` and may still report.

read_scheduler()
local retention = tonumber(ARGV[2])
local due = call('ZRANGEBYSCORE', DEADLINES, '-inf', now, 'WITHSCORES', 'LIMIT', 0, 64)
local expired = 0
for i = 1, #due, 2 do
  local id = due[i]
  local job = read_job(id)
  if not job[J.status] then
    call('ZREM', DEADLINES, id)
  elseif job[J.status] == 'queued' or tonumber(due[i + 1]) + tonumber(ARGV[1]) <= now then
    close_lost_attempt(id, job, 'lost')
    finish(id, job, 'expired', retention, { 'error', 'deadline_exceeded' })
    expired = expired + 1
  end
end
return { expired, expired > 0 and feed(64) or {} }
