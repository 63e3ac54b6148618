-- end-left: cancels jobs for which nobody waits any more, a bounded number.
--
-- In:  left_ms: since when at least; retention_ms
-- Out: {number looked at, number cancelled, {hand-offs}}
-- A running one goes on to its end, because it is paid for, unless its client said otherwise.

Lanes.read_scheduler()
local left, looked = Waits.take_left(input.left_ms, 64)
local cancelled = 0
for i = 1, #left do
  local id = left[i]
  local job = Jobs.read(id)
  local is_running = job.status == 'in_progress'
  local ends = job.status == 'queued' or is_running and call('HGET', JOB .. id, 'if_left') == 'cancel'
  if ends then
    -- Whoever comes too late to take it over begins anew.
    Waits.forget(id)
    if Jobs.cancel(id, job, input.retention_ms) == 'cancelled' then
      call('HSET', JOB .. id, 'given_up', 1)
      cancelled = cancelled + 1
    end
  end
end
return { looked, cancelled, cancelled > 0 and Feed.serve(64) or {} }
