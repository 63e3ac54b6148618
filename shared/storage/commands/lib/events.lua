-- Events: answers that are streamed, as far as they have come. What is here was shown to the client, so
-- that no other attempt may begin anew.

local Events = {}

-- Whether an attempt has shown anything of its answer.
function Events.has_begun(id, attempt)
  return call('EXISTS', EVENTS .. id .. '.' .. attempt) == 1
end

-- Whoever reads is not far behind.
function Events.let_go(id, attempt)
  call('PEXPIRE', EVENTS .. id .. '.' .. attempt, 60000)
end

return Events
