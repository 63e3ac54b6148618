-- Bodies: the pieces of long requests and answers. They are written before the command that names
-- them, and go by themselves unless it keeps them.
--
--   stage-body ──> pieces, each for a minute more ──submit──> until the job is final
--                  answer's pieces, likewise ──settle──> as long as the result

local Bodies = {}

-- Beside the pieces of a request that is not accepted: how their bytes are counted, as `Bytes.enter`
-- answers it.
Bodies.HELD = 'held'
-- How much longer than its deadline a request is kept, if nothing ends it.
local PAST_DEADLINE_MS = 60000

-- The bytes of staged pieces are no longer counted.
function Bodies.leave(id, tenant)
  local held = call('HGET', REQUEST_BODY .. id, Bodies.HELD)
  if held then
    Bytes.forget(tenant, held)
    call('HDEL', REQUEST_BODY .. id, Bodies.HELD)
  end
end

-- Whether all pieces of a request are there.
function Bodies.has_request(id, pieces)
  return pieces == 0 or call('HLEN', REQUEST_BODY .. id) == pieces
end

-- From here on they stay, because the request is accepted.
function Bodies.keep_request(id, pieces, deadline)
  if pieces > 0 then
    call('PEXPIREAT', REQUEST_BODY .. id, deadline + PAST_DEADLINE_MS)
  end
end

-- The same for the pieces of an answer that an attempt wrote.
function Bodies.has_answer(id, attempt, pieces)
  return pieces == 0 or call('HLEN', ANSWER .. id .. '.' .. attempt) == pieces
end

function Bodies.keep_answer(id, attempt, pieces, life_ms)
  if pieces == 0 then
    return
  end
  call('RENAME', ANSWER .. id .. '.' .. attempt, ANSWER .. id)
  call('PEXPIRE', ANSWER .. id, life_ms)
end

return Bodies
