-- seal-audit: the rows to seal next, for the worker that holds the chain's lease; before that it appends the seal of the rows that it was answered last.
--
-- In:  1 worker, 2 lease ms, 3 most rows; then nothing, or a seal: 4 number, 5 id of its last row, 6 rows, 7 sealed at ms, 8 pepper, 9 MAC
-- Out: {'follower'}, or {'leader', now ms, number of the newest seal, id of its last row, its MAC, {rows that follow as XRANGE answers them}}; 0, '0-0' and '' where nothing was sealed
-- A number is given once, so two sealers cannot fork the chain: what comes second is dropped. A sealer that dies leaves rows that the next one is answered.

local leader = call('GET', AUDIT_LEASE)
if leader and leader ~= ARGV[1] then
  return { 'follower' }
end
call('SET', AUDIT_LEASE, ARGV[1], 'PX', ARGV[2])

local function read_newest()
  local seal = call('XREVRANGE', AUDIT_SEALS, '+', '-', 'COUNT', 1)[1]
  if seal then
    return { tonumber(seal[1]:match('^%d+')), seal[2][2], seal[2][10] or '' }
  end
  local checkpoint = call('HMGET', AUDIT_CHECKPOINT, 'number', 'last', 'mac')
  return { number(checkpoint[1], 0), checkpoint[2] or '0-0', checkpoint[3] or '' }
end

local newest = read_newest()
if ARGV[4] and tonumber(ARGV[4]) == newest[1] + 1 then
  call('XADD', AUDIT_SEALS, ARGV[4] .. '-0', 'last', ARGV[5], 'rows', ARGV[6], 'sealed', ARGV[7], 'pepper', ARGV[8], 'mac', ARGV[9])
  newest = { tonumber(ARGV[4]), ARGV[5], ARGV[9] }
end
return { 'leader', now, newest[1], newest[2], newest[3], call('XRANGE', AUDIT, '(' .. newest[2], '+', 'COUNT', ARGV[3]) }
