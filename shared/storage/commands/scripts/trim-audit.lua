-- trim-audit: forgets the rows and seals up to a new checkpoint, on which the rest of the chain stands.
--
-- In:  1 number of the checkpoint that this one follows (0 none), 2 number of the last seal to forget, 3 id of its last row, 4 its MAC, 5 pepper, 6 MAC of the checkpoint, 7 least id of a row to keep
-- Out: 'trimmed' | 'stale' where another worker was first

if number(call('HGET', AUDIT_CHECKPOINT, 'number'), 0) ~= tonumber(ARGV[1]) then
  return 'stale'
end
call('HSET', AUDIT_CHECKPOINT, 'number', ARGV[2], 'last', ARGV[3], 'mac', ARGV[4], 'pepper', ARGV[5], 'check', ARGV[6])
call('XTRIM', AUDIT, 'MINID', ARGV[7])
call('XTRIM', AUDIT_SEALS, 'MINID', (tonumber(ARGV[2]) + 1) .. '-0')
return 'trimmed'
