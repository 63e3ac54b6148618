-- end-work: ends the next piece of what is stopped of a tenant: its batches, each in one step; then
-- what is handed off; then its other jobs. Nothing new is let in meanwhile.
--
-- In:  tenant; retention_ms; max_handoffs
-- Out: {'more' | 'erase' (all has ended that does not run; now its data goes) | 'ended', jobs
--      that ended, {hand-offs}}
-- What waits is final at once. What runs is aborted by its worker, as a cancel does it: its user's
-- key is forgotten here, since nothing of it is tried again.

local tenant, retention = input.tenant, input.retention_ms
local stops = STOPS .. tenant

local row = call('HMGET', stops, 'at', 'cursor', 'erase', 'tenant')
local at, cursor = row[1], row[2]
if not at then
  call('SREM', STOPPING, tenant)
  return { 'ended', 0, {} }
end
if at == 'erase' then
  return { 'erase', 0, {} }
end
Lanes.read_scheduler()
local counts = { jobs = 0, batches = 0, lines = 0, running = 0 }

local function end_batch_of(stem)
  local batch = call('HMGET', BATCH .. stem, 'status', 'platform_key', 'published', 'unfinished', 'in_progress')
  if batch[1] == 'in_progress' and Stops.reason_of(tenant, batch[2], batch[3]) then
    counts.batches = counts.batches + 1
    counts.lines = counts.lines + batch[4]
    counts.running = counts.running + number(batch[5], 0)
    Batches.stop(stem, 'cancelled', retention, Stops.STOPPED)
  end
end

local ended = 0
local function end_job(id)
  local job = Jobs.read(id)
  if job.tenant ~= tenant or not job.status or FINAL[job.status] or not Jobs.is_stopped(id, job) then
    return
  end
  -- Lines were counted with their batch.
  local counted = Lines.batch_of(id) and 0 or 1
  if job.status == 'queued' then
    Jobs.finish_cancelled(id, job, retention)
    ended = ended + counted
  elseif call('SADD', CANCELLING, id) == 1 then
    call('DEL', SEALED .. id)
    call('PUBLISH', ABORTS, id)
    counts.running = counts.running + counted
  else
    counted = 0
  end
  counts.jobs = counts.jobs + counted
end

-- The next entries of one of the tenant's indexes, newest first; where to go on, nil at the end.
local function look_back(index, limit, end_one)
  local entries = call('XREVRANGE', index, cursor == '' and '+' or '(' .. cursor, '-', 'COUNT', limit)
  for i = 1, #entries do
    end_one(entries[i][2][2])
  end
  return #entries == limit and entries[limit][1] or nil
end

local PHASES = {
  batches = {
    next = 'handed_off',
    step = function()
      return look_back(BATCHES .. tenant, 16, function(id)
        end_batch_of(id:sub(7, 28))
      end)
    end,
  },
  -- First of the jobs, because these run or are about to.
  handed_off = {
    next = 'jobs',
    step = function()
      local page = call('HSCAN', INFLIGHT, cursor == '' and '0' or cursor, 'COUNT', 64)
      for i = 1, #page[2], 2 do
        end_job(page[2][i])
      end
      return page[1] ~= '0' and page[1] or nil
    end,
  },
  jobs = {
    step = function()
      return look_back(JOBS .. tenant, 64, end_job)
    end,
  },
}

local phase = PHASES[at]
local go_on = phase.step()
local totals = {}
for _, name in ipairs({ 'jobs', 'batches', 'lines', 'running' }) do
  totals[#totals + 1] = call('HINCRBY', stops, name, counts[name])
end
if go_on or phase.next then
  call('HSET', stops, 'at', go_on and at or phase.next, 'cursor', go_on or '')
  return { 'more', ended, Feed.serve(input.max_handoffs) }
end
Audit.append('stopped_work_ended', tenant, unpack(totals))
call('HSET', stops, 'ended', now)
if row[3] then
  call('HSET', stops, 'at', 'erase')
  return { 'erase', ended, Feed.serve(input.max_handoffs) }
end
call('HDEL', stops, 'at', 'cursor')
call('SREM', STOPPING, tenant)
if row[4] == 'tenant_deleted' then
  call('PEXPIRE', stops, Stops.STOPS_LIFE_MS)
end
return { 'ended', ended, Feed.serve(input.max_handoffs) }
