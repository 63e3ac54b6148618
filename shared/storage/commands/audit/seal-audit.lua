-- seal-audit: the rows to seal next, for the worker that holds the chain's lease; before that it
-- appends the seal of the rows that it was answered last.
--
-- In:  worker; lease_ms; max_rows; seal: nothing, or number, id of its last row, rows, sealed at ms,
--      pepper, MAC
-- Out: {'follower'}, or {'leader', now ms, number of the newest seal, id of its last row, its
--      MAC, {rows that follow as XRANGE answers them}}; 0, '0-0' and '' where nothing was sealed
-- A number is given once, so two sealers cannot fork the chain: what comes second is dropped. A
-- sealer that dies leaves rows that the next one is answered.

local leader = call('GET', AUDIT_LEASE)
if leader and leader ~= input.worker then
  return { 'follower' }
end
call('SET', AUDIT_LEASE, input.worker, 'PX', input.lease_ms)

local function read_newest()
  local seal = call('XREVRANGE', AUDIT_SEALS, '+', '-', 'COUNT', 1)[1]
  if seal then
    return { tonumber(seal[1]:match('^%d+')), seal[2][2], seal[2][10] or '' }
  end
  local checkpoint = call('HMGET', AUDIT_CHECKPOINT, 'number', 'last', 'mac')
  return { number(checkpoint[1], 0), checkpoint[2] or '0-0', checkpoint[3] or '' }
end

local newest = read_newest()
if input.seal[1] and tonumber(input.seal[1]) == newest[1] + 1 then
  call(
    'XADD',
    AUDIT_SEALS,
    input.seal[1] .. '-0',
    'last',
    input.seal[2],
    'rows',
    input.seal[3],
    'sealed',
    input.seal[4],
    'pepper',
    input.seal[5],
    'mac',
    input.seal[6]
  )
  newest = { tonumber(input.seal[1]), input.seal[2], input.seal[6] }
end
return {
  'leader',
  now,
  newest[1],
  newest[2],
  newest[3],
  call('XRANGE', AUDIT, '(' .. newest[2], '+', 'COUNT', input.max_rows),
}
