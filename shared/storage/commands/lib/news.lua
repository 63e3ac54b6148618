-- News: who waits for a job, a batch or a delivery is told of its changes.

local News = {}

-- Registers the API process `watcher` ('' none) for news of a job or batch that is not final.
function News.watch(id, watcher)
  if watcher ~= '' then
    call('SADD', WATCHERS .. id, watcher)
    call('PEXPIRE', WATCHERS .. id, 90000)
  end
end

-- Tells the API processes that wait for this job or batch; nobody waits for most.
function News.announce(id, status)
  local watchers = call('SMEMBERS', WATCHERS .. id)
  for i = 1, #watchers do
    call('PUBLISH', NEWS .. watchers[i], id .. ' ' .. status)
  end
end

return News
