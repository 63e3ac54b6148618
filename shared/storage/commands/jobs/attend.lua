-- attend: a call that waits for the job that it submitted, or took over, looks at it.
--
-- In:  id; tenant; platform_key: that submitted it; watcher: API process to be told of changes; waiter:
--      `<API process>.<number>`; hold_ms: how long it is held (0: as it said before)
-- Out: what `Views.job` answers with its result; {} if no call with this key waits for such a job

local id, tenant = input.id, input.tenant
local row = call('HMGET', JOB .. id, 'platform_key', 'awaited', 'status')
if row[1] ~= input.platform_key or not row[2] then
  return {}
end
Lanes.read_scheduler()
local view = Views.job(id, tenant, input.watcher, true)
if #view == 0 then
  return view
end
if FINAL[row[3]] then
  Waits.answered(id)
elseif input.hold_ms > 0 then
  Waits.wait_on(id, input.waiter, input.hold_ms)
end
return view
