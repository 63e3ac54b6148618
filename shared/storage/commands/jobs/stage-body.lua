-- stage-body: makes room for the pieces of a long request, before the first of them is written. They
-- count as stored from here on; the command that accepts the request takes them over.
--
-- In:  id; tenant; platform_key; class; bytes; needs: of a worker, with spaces between; requests_per_minute;
--      max_queued; max_stored_bytes: of the tenant; idempotency_entry ('' none); awaited; repeats:
--      as `submit` takes them; life_ms: how long pieces live that nothing names
-- Out: {'staged', rate}; {'known', rate} if the entry is, or a job is to be taken over: nothing is to be
--      written, because `submit` answers that; or a refusal as of `Intake`; `rate` as of `Limits.rate_of`
-- Crash window: of an API that dies after this the pieces go by themselves, and their bytes are given
-- back by `tick`.

local id, tenant, bytes = input.id, input.tenant, input.bytes
local use = Intake.use_of(tenant, input.class, {
  per_minute = input.requests_per_minute,
  queued = input.max_queued,
  stored = input.max_stored_bytes,
})
local stop = Intake.stop_of(use, tenant, input.platform_key)
if stop then
  return stop
end
if Waits.first_of(input.idempotency_entry) or input.repeats and Waits.find_left(input.awaited) then
  return { 'known', use.rate }
end
local refusal = Intake.refusal_of(use, input.needs, bytes)
if refusal then
  return refusal
end
-- Sent twice, it counts once.
if not call('HGET', REQUEST_BODY .. id, Bodies.HELD) then
  Bytes.change(tenant, bytes)
  call('HSET', REQUEST_BODY .. id, Bodies.HELD, Bytes.enter(tenant, bytes, now + input.life_ms, 0))
end
call('PEXPIRE', REQUEST_BODY .. id, input.life_ms)
return { 'staged', use.rate }
