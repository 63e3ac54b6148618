-- trim-audit: forgets the rows and seals up to a new checkpoint, on which the rest of the chain stands.
--
-- In:  before: the checkpoint that this one follows (0 none); number: the last seal to forget; last: id of
--      its last row; mac: its MAC; pepper; check: MAC of the checkpoint; keep_from: the least id of a row
--      to keep
-- Out: 'trimmed' | 'stale' where another worker was first

if number(call('HGET', AUDIT_CHECKPOINT, 'number'), 0) ~= input.before then
  return 'stale'
end
call(
  'HSET',
  AUDIT_CHECKPOINT,
  'number',
  input.number,
  'last',
  input.last,
  'mac',
  input.mac,
  'pepper',
  input.pepper,
  'check',
  input.check
)
call('XTRIM', AUDIT, 'MINID', input.keep_from)
call('XTRIM', AUDIT_SEALS, 'MINID', (input.number + 1) .. '-0')
return 'trimmed'
