-- What every part below uses: time, numbers and the record's closed states.

local call = redis.call

local time = call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

local FINAL = { completed = true, failed = true, cancelled = true, expired = true }

-- Redis answers false for an absent field.
local function number(value, default)
  return tonumber(value or default) or default
end

-- The hand-offs of deliveries that this call makes (see outbox); they go out together with those of jobs.
local deliveries = {}

-- Registers the API process `watcher` ('' none) for news of a job or batch that is not final.
local function watch(id, watcher)
  if watcher ~= '' then
    call('SADD', WATCHERS .. id, watcher)
    call('PEXPIRE', WATCHERS .. id, 90000)
  end
end

-- Tells the API processes that wait for this job or batch; nobody waits for most.
local function announce(id, status)
  local watchers = call('SMEMBERS', WATCHERS .. id)
  for i = 1, #watchers do
    call('PUBLISH', NEWS .. watchers[i], id .. ' ' .. status)
  end
end
