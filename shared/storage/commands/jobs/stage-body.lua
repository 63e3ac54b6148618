-- stage-body: makes room for the pieces of a long request, before the first of them is written. They
-- count as stored from here on; the command that accepts the request takes them over.
--
-- In:  id; tenant; bytes; requests_per_minute; max_stored_bytes: of the tenant; idempotency_entry (''
--      none); life_ms: how long pieces live that nothing names
-- Out: {'staged', rate}, {'known', rate} where the entry is known: nothing is to be written, because
--      `submit` answers what it was used for; {'too_many_stored_bytes', rate, bytes stored}; `rate` as of
--      `Limits.rate_of`
-- Crash window: of an API that dies after this the pieces go by themselves, and their bytes are given
-- back by `tick`.

local id, tenant, bytes, per_minute = input.id, input.tenant, input.bytes, input.requests_per_minute
local used = call('HMGET', TENANT .. tenant, 'requests', 'requests_at', 'stored_bytes')
local rate = Limits.rate_of(Limits.leak(used[1], used[2], per_minute), per_minute)
if input.idempotency_entry ~= '' and call('EXISTS', IDEMPOTENCY .. input.idempotency_entry) == 1 then
  return { 'known', rate }
end
local stored = number(used[3], 0)
if stored + bytes > input.max_stored_bytes then
  return { 'too_many_stored_bytes', rate, stored }
end
-- Sent twice, it counts once.
if not call('HGET', REQUEST_BODY .. id, Bodies.HELD) then
  Bytes.change(tenant, bytes)
  call('HSET', REQUEST_BODY .. id, Bodies.HELD, Bytes.enter(tenant, bytes, now + input.life_ms, 0))
end
call('PEXPIRE', REQUEST_BODY .. id, input.life_ms)
return { 'staged', rate }
