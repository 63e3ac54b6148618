-- attend: a call that waits for the job that it submitted, or took over, looks at it; it is this
-- call's from then on, also if it ends at once: its client may go before it has the answer.
--
-- In:  id; tenant; platform_key: that submitted it, or was let in; watcher: API process to be told of
--      changes; waiter: `<API process>.<number>`; hold_ms: how long it is held (0: as it said before)
-- Out: what `Views.job` answers with its result; {} if no call with this key waits for such a job

local id, tenant = input.id, input.tenant
if not Waits.lets_in(id, input.platform_key) then
  return {}
end
Lanes.read_scheduler()
local view = Views.job(id, tenant, input.watcher, true)
if #view == 0 then
  return view
end
if input.hold_ms > 0 then
  Waits.wait_on(id, input.waiter, input.hold_ms)
end
if FINAL[call('HGET', JOB .. id, 'status')] then
  Waits.forget(id)
end
return view
