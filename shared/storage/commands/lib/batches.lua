-- Batches: how their lines end, and they with them.
--
--   staging ──publish──> in_progress ──last line ends──> completed | failed
--      │                   │      └──deadline──> finalizing ──last call ends──> expired
--      │                   └──cancel──> cancelling ──last call ends──> cancelled
--      └──discard, lease over──> erasing <──retention over, delete── (any of the four)
--
-- `unfinished` counts the lines that are not final, `in_progress` the running ones of them; the
-- waiting ones are the difference.
-- BATCH_OUTCOMES lists lines as they end. A batch that is stopped ends all that had no turn in one
-- step: `lane <n>` stands there for all of BATCH_REST.
-- BATCH_DUE says when upkeep has something to do: a lease, a deadline or a retention is over, or
-- lines are to be drained or erased.

local Batches = {}

local STOPPED_STATUS = { cancelled = 'cancelling', expired = 'finalizing' }

local function end_batch(stem, retention_ms)
  local row = call('HMGET', BATCH .. stem, 'stopped_as', 'total', 'failed', 'lanes', 'id', 'tenant', 'webhook')
  local status = row[1] or (row[2] == row[3] and 'failed' or 'completed')
  call('HSET', BATCH .. stem, 'status', status, 'finished', now, 'retained', now + retention_ms)
  call('DEL', SEALED .. stem)
  call('SREM', CANCELLING, 'job_' .. stem)
  for lane = 0, row[4] - 1 do
    call('PEXPIRE', LANE .. stem .. '.' .. lane, 2 * Lanes.PARK_LIMIT_MS)
  end
  -- Requests of lines that were cancelled are forgotten first.
  call('ZADD', BATCH_DUE, status == 'cancelled' and now or now + retention_ms, stem)
  News.announce(row[5], status)
  call('DEL', WATCHERS .. row[5])
  if Outbox.record_event(row[6], row[5], 'batch.' .. status, row[7]) then
    -- What an attempt reports after the end changes the ledger; the event tells the same at every
    -- attempt to deliver it.
    call('COPY', BATCH_USAGE .. stem, BATCH_TOLD .. stem)
  end
end

local function count_final(stem, status, lines, retention_ms)
  call('HINCRBY', BATCH .. stem, status, lines)
  if call('HINCRBY', BATCH .. stem, 'unfinished', -lines) == 0 then
    end_batch(stem, retention_ms)
  end
end

-- A line that had a turn is final. Answers the bytes that it holds no more.
function Batches.finish_line(stem, id, status, was_running, retention_ms)
  call('SREM', BATCH_OPEN .. stem, id)
  call('RPUSH', BATCH_OUTCOMES .. stem, id:sub(27))
  if was_running then
    call('HINCRBY', BATCH .. stem, 'in_progress', -1)
  end
  local runs_again = status == 'failed' or status == 'expired'
  local freed = runs_again and 0 or Lines.forget_request(id, Lines.read(id))
  count_final(stem, status, 1, retention_ms)
  return freed
end

-- Ends every line that had no turn, whatever their number. Those that had one are drained: what
-- runs is aborted, or ends by the deadline. `error`: when the operator stopped it.
function Batches.stop(stem, as, retention_ms, error)
  local row = call('HMGET', BATCH .. stem, 'tenant', 'provider', 'credential', 'lanes')
  local ended = 0
  for n = 0, row[4] - 1 do
    local lane = stem .. '.' .. n
    local lines = call('LLEN', LANE_NEW .. lane)
    if lines > 0 then
      call('RENAME', LANE_NEW .. lane, BATCH_REST .. lane)
      call('RPUSH', BATCH_OUTCOMES .. stem, 'lane ' .. n)
      local of_lane = call('HMGET', BATCH .. stem, 'gone:' .. n, 'model:' .. n)
      lines = lines - number(of_lane[1], 0)
      if lines > 0 then
        Usage.count(
          { tenant = row[1], provider = row[2], model = of_lane[2], credential = row[3] },
          stem,
          { requests = lines, [as] = lines }
        )
      end
      ended = ended + lines
    end
  end
  local status = STOPPED_STATUS[as]
  call('HSET', BATCH .. stem, 'status', status, 'stopped', now, 'stopped_as', as)
  if error then
    call('HSET', BATCH .. stem, 'stop_error', error)
  end
  if as == 'cancelled' then
    -- Nothing of it is tried again.
    call('DEL', SEALED .. stem)
    call('SADD', CANCELLING, 'job_' .. stem)
    call('PUBLISH', ABORTS, 'job_' .. stem)
  end
  call('ZADD', BATCH_DUE, now, stem)
  News.announce(call('HGET', BATCH .. stem, 'id'), status)
  if ended > 0 then
    Limits.count_waiting(row[1], 'batch', -ended)
    count_final(stem, as, ended, retention_ms)
  end
end

-- Nobody can read the batch from here on; upkeep deletes it piece by piece.
function Batches.begin_erasing(stem)
  local row = call('HMGET', BATCH .. stem, 'status', 'id', 'idempotency')
  if row[1] == 'staging' then
    for lane = 0, 63 do
      call('UNLINK', LANE_NEW .. stem .. '.' .. lane)
    end
    if row[3] and call('GET', IDEMPOTENCY .. row[3]) == '- ' .. row[2] then
      call('DEL', IDEMPOTENCY .. row[3])
    end
  end
  call('HSET', BATCH .. stem, 'status', 'erasing', 'erasing', 0)
  call('ZADD', BATCH_DUE, now, stem)
end

-- What becomes of a batch's lines since it was stopped: 'cancelled' | 'expired'; nil while it runs,
-- and for jobs of their own.
function Batches.stopped_as(id)
  local stem = Lines.batch_of(id)
  return stem and call('HGET', BATCH .. stem, 'stopped_as') or nil
end

return Batches
