-- erase-work: forgets the next piece of what is stored for a deleted tenant whose work has ended:
-- its webhook secrets and deliveries, batches, jobs.
--
-- In:  tenant; stub_ms: life of the jobs' stubs
-- Out: 'more', 'waiting' (for calls that are being aborted, or for batches, which
--      `sweep-batch` deletes), or 'erased'
-- Its usage and the audit log stay. Idempotency entries, which hold no more than a digest and an
-- id, end by themselves.

local tenant, stub_ms = input.tenant, input.stub_ms
local stops = STOPS .. tenant

local erased = { erased_deliveries = 0, erased_batches = 0, erased_jobs = 0 }
call('UNLINK', WEBHOOK_SECRETS .. tenant)

local ids = call('ZRANGE', TENANT_DELIVERIES .. tenant, 0, 63)
for i = 1, #ids do
  local delivery = Outbox.read_delivery(ids[i])
  if delivery.status == 'pending' then
    Outbox.leave_place(ids[i], delivery)
  end
  Outbox.forget_delivery(ids[i], delivery)
  -- Its index may name one that is gone.
  call('ZREM', TENANT_DELIVERIES .. tenant, ids[i])
  call('ZREM', FAILED_DELIVERIES .. tenant, ids[i])
  erased.erased_deliveries = erased.erased_deliveries + 1
end

local batches = call('XRANGE', BATCHES .. tenant, '-', '+', 'COUNT', 16)
for i = 1, #batches do
  local stem = batches[i][2][2]:sub(7, 28)
  local row = call('HMGET', BATCH .. stem, 'status', 'erasing')
  if not row[1] then
    call('XDEL', BATCHES .. tenant, batches[i][1])
  elseif FINAL[row[1]] and not row[2] then
    Batches.begin_erasing(stem)
    erased.erased_batches = erased.erased_batches + 1
  end
end

local jobs = call('XRANGE', JOBS .. tenant, '-', '+', 'COUNT', 64)
for i = 1, #jobs do
  local id = jobs[i][2][2]
  local job = call('HMGET', JOB .. id, 'status', 'held', 'erased')
  local status = job[1]
  if not status or FINAL[status] then
    if status and not job[3] then
      Jobs.forget(id, tenant, job[2], stub_ms)
      erased.erased_jobs = erased.erased_jobs + 1
    end
    call('XDEL', JOBS .. tenant, jobs[i][1])
  end
end

local moved, totals = 0, {}
for _, name in ipairs({ 'erased_jobs', 'erased_batches', 'erased_deliveries' }) do
  moved = moved + erased[name]
  totals[#totals + 1] = call('HINCRBY', stops, name, erased[name])
end
if moved > 0 then
  return 'more'
end
if #batches + #jobs > 0 then
  return 'waiting'
end
call('UNLINK', JOBS .. tenant, BATCHES .. tenant, ENDPOINT_TURNS .. tenant)
call('ZREM', WAITING_TENANTS, tenant)
call('SREM', TENANTS, tenant)
Audit.append('tenant_erased', tenant, unpack(totals))
call('HDEL', stops, 'at', 'cursor', 'erase')
call('HSET', stops, 'erased', now)
call('SREM', STOPPING, tenant)
call('PEXPIRE', stops, Stops.STOPS_LIFE_MS)
return 'erased'
