-- append-events: what has come of answers that are streamed, each in the list of its own attempt: a
-- worker that was lost writes where nobody reads.
--
-- In:  life_ms: of a list, from its first entry; entries: job id, attempt, number of the entry from 0 on,
--      '1' if it is kept and '' if only those learn it who listen, and the entry, one after the other
-- Out: 'appended'
-- Sent twice it appends once.

local entries = input.entries
for i = 1, #entries, 5 do
  local id, attempt, place, kept, entry = unpack(entries, i, i + 4)
  local key = EVENTS .. id .. '.' .. attempt
  local is_next = call('LLEN', key) == tonumber(place)
  if kept == '1' and is_next then
    call('RPUSH', key, entry)
    if place == '0' then
      call('PEXPIRE', key, input.life_ms)
    end
  end
  if kept ~= '1' or is_next then
    call('PUBLISH', EVENT_NEWS .. id, attempt .. ' ' .. place .. ' ' .. entry)
  end
end
return 'appended'
