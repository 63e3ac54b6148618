-- A batch as it stands.

local Views = {}

-- Whether a tenant may see a batch: not while it is staged, nor when its retention is over, though
-- it may still be stored for its webhook.
function Views.is_readable(stem, tenant)
  local row = call('HMGET', BATCH .. stem, 'tenant', 'published', 'erasing', 'retained')
  return row[1] == tenant and row[2] and not row[3] and number(row[4], math.huge) > now
end

-- {record as field, value, …; its ledger as field, value, …}, or {} where the tenant has no such batch.
function Views.batch(stem, tenant, watcher)
  if not Views.is_readable(stem, tenant) then
    return {}
  end
  local row = call('HMGET', BATCH .. stem, 'status', 'id')
  if not FINAL[row[1]] then
    News.watch(row[2], watcher)
  end
  return { call('HGETALL', BATCH .. stem), call('HGETALL', BATCH_USAGE .. stem) }
end

-- A job as it stands, with its place in the queue.

-- `tried`: whether the job had a turn before; only then can it be in back-off. `throttled`: whether
-- a throttle ended its last
-- call; `lacking`: what the last worker that it was handed to cannot do.
function Views.place_of(id, tenant, lane_id, ticket, tried, throttled, lacking)
  if call('HEXISTS', INFLIGHT, id) == 1 then
    return 'starting', 1
  end
  local lane = call('HMGET', LANE .. lane_id, 'at', 'served')
  local position = math.max(1, number(ticket, 0) - number(lane[2], 0))
  if tried and call('ZSCORE', DELAYED, id) then
    return lacking and 'worker_ability' or throttled and 'provider_rate_limited' or 'retry_backoff', position
  end
  if lane[1] == 'parked' or lane[1] == 'capped' then
    return 'provider_rate_limited', position
  end
  local limits = call('HMGET', TENANT .. tenant, 'tokens_until', 'inflight', 'max_in_flight')
  if number(limits[1], 0) > now then
    return 'token_limit', position
  end
  if number(limits[2], 0) >= number(limits[3], scheduler.max_in_flight) then
    return 'concurrency_limit', position
  end
  if position == 1 and call('HLEN', INFLIGHT) < scheduler.window then
    return 'starting', position
  end
  return 'tenant_share', position
end

-- The record of a line, and what it shares with its batch: later fields count. {} where the batch
-- is not readable.
local function line_record(stem, id, flat)
  local batch =
    call('HMGET', BATCH .. stem, 'id', 'published', 'erasing', 'stopped_as', 'stopped', 'retained', 'stop_error')
  local line = batch[2] and not batch[3] and Lines.read(id)
  if not line or line.erased then
    return {}
  end
  local function set(field, value)
    flat[#flat + 1] = field
    flat[#flat + 1] = value
  end
  if #flat == 0 then
    flat = Records.flat(Lines.waiting_record(stem, line))
    if batch[4] then
      set('status', batch[4])
      set('finished', batch[5])
      local code = Lines.error_without_turn(batch[4], batch[7])
      if code then
        set('error', code)
      end
    end
  end
  set('batch', batch[1])
  if line.metadata ~= '' then
    set('metadata', line.metadata)
  end
  if batch[6] then
    set('retained', batch[6])
  end
  return flat
end

-- {record as field, value, …; wait reason ('' not waiting), position, result JSON ('' none)}, or {}
-- where the tenant has no such job.
function Views.job(id, tenant, watcher, with_result)
  local flat = call('HGETALL', JOB .. id)
  local stem = Lines.batch_of(id)
  if stem then
    flat = line_record(stem, id, flat)
  end
  local job = {}
  for i = 1, #flat, 2 do
    job[flat[i]] = flat[i + 1]
  end
  -- A record may be there for its webhook alone.
  if job.tenant ~= tenant or job.erased or number(job.retained, math.huge) <= now then
    return {}
  end
  local reason, position = '', 0
  if job.status == 'queued' then
    reason, position = Views.place_of(id, tenant, job.lane, job.ticket, job.handoff, job.throttled, job.lacking)
  end
  if not FINAL[job.status] then
    News.watch(id, watcher)
  end
  return { flat, reason, position, with_result and call('GET', RESULT .. id) or '' }
end

return Views
