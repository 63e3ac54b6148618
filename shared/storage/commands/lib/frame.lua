-- What every module and command uses: time, numbers, the closed states, and the keys of the shard
-- that a call is for.

local FINAL = { completed = true, failed = true, cancelled = true, expired = true }

-- A library that is being loaded has no `redis.call`.
local call

-- Of the call that runs: the names of its keys, Unix time in ms, the scheduler as
-- `Lanes.read_scheduler` read it, the
-- version as `Schema` read it, and the hand-offs of deliveries that it makes, which go out together
-- with those of jobs.
local K, now, scheduler, schema, deliveries

-- Redis answers false for an absent field.
local function number(value, default)
  return tonumber(value or default) or default
end

-- A library stays loaded from call to call, and so do its names.
local names_of = {}

-- A call begins: nothing of the one before is left.
local function begin(tag)
  call = redis.call
  K = names_of[tag]
  if not K then
    K = names(tag)
    names_of[tag] = K
  end
  local time = call('TIME')
  now = time[1] * 1000 + math.floor(time[2] / 1000)
  scheduler, schema, deliveries = nil, nil, {}
end

-- The arguments from `first` on.
local function rest(args, first)
  local list = {}
  for i = first, #args do
    list[#list + 1] = args[i]
  end
  return list
end
