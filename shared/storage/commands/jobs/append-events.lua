-- append-events: what has come of answers that are streamed. Only the attempt that runs shows anything: a
-- worker that was lost is not heard behind the next one.
--
-- In:  life_ms: of a list, from its first entry; entries: job id, attempt, number of the entry from 0 on,
--      '1' if it is kept and '' if only those learn it who listen, and the entry, one after the other
-- Out: 'appended'
-- Sent twice it appends once.

local entries = input.entries
for i = 1, #entries, 5 do
  local id, attempt, place, kept, entry = unpack(entries, i, i + 4)
  local key = EVENTS .. id .. '.' .. attempt
  local job = call('HMGET', JOB .. id, 'attempts', 'status')
  local is_heard = job[1] == attempt and job[2] == 'in_progress'
  local is_next = call('LLEN', key) == tonumber(place)
  if is_heard and kept == '1' and is_next then
    call('RPUSH', key, entry)
    if place == '0' then
      call('PEXPIRE', key, input.life_ms)
    end
  end
  if is_heard and (kept ~= '1' or is_next) then
    call('PUBLISH', EVENT_NEWS .. id, attempt .. ' ' .. place .. ' ' .. entry)
  end
end
return 'appended'
