-- reconcile: finds hand-offs that never reached BullMQ, by walking the in-flight set a bounded
-- piece at a time.
--
-- In:  cursor ('0' starts); late_ms: after which a hand-off should have arrived
-- Out: {next cursor, {hand-offs that BullMQ does not know}}
-- A hand-off that arrives late after all is refused by `claim`, or is the same BullMQ job.

local page = call('HSCAN', INFLIGHT, input.cursor, 'COUNT', 64)
local lost = {}
for i = 1, #page[2], 2 do
  local id = page[2][i]
  local handoff, since = page[2][i + 1]:match('^(%d+):(%d+)$')
  local name = id .. '-' .. handoff
  if tonumber(since) + input.late_ms <= now and call('EXISTS', COMPLETIONS .. name) == 0 then
    lost[#lost + 1] = name
  end
end
return { page[1], lost }
