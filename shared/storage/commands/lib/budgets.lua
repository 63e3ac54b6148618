-- Budgets: what the calls of a tenant may cost in a month, apart for the platform's account and for
-- users' own keys (`ledger`: platform | user). Whole nano-dollars.
--
-- Each call has a reservation of its own before it is made, of the most that it can cost, and what
-- it cost takes its place. `used` and `reserved` together never pass the cap
-- when something is reserved or a call begins: so `used` never passes it, however many calls are under way.
--
-- A job's record has `estimate`, the most that one call can cost, where a budget applied when it
-- was accepted, and `reservation`: `<month>|<nano-dollars>`, or `<month>|` while nothing is
-- reserved.
-- A job belongs to the month of its first reservation.

local Budgets = {}

local BUDGET_LIFE_MS = 400 * 24 * 3600 * 1000

function Budgets.add(budget, field, nano)
  if call('HINCRBY', budget, field, nano) == tonumber(nano) then
    call('PEXPIRE', budget, BUDGET_LIFE_MS)
  end
end

-- Tells once a month, and again where the cap was changed, that a share of the cap is used; of 100,
-- that a call did not fit any more.
local function tell_threshold(tenant, ledger, budget, month, percent, used, cap)
  local field = ledger .. ':told:' .. percent
  local cap_text = string.format('%.0f', cap)
  if call('HGET', budget, field) ~= cap_text then
    call('HSET', budget, field, cap_text)
    call('HINCRBY', SCHEDULER, 'told:' .. ledger .. ':' .. percent, 1)
    Audit.append('budget_threshold', tenant, ledger, month, percent, used, cap)
  end
end

-- Whether the cap covers what is used, what is reserved and `nano` more; and the first two.
function Budgets.covers(tenant, ledger, month, nano, cap)
  local budget = BUDGET .. tenant .. ':' .. month
  local row = call('HMGET', budget, ledger .. ':used', ledger .. ':reserved')
  local used, reserved = number(row[1], 0), number(row[2], 0)
  if used + reserved + nano > cap then
    tell_threshold(tenant, ledger, budget, month, 100, used, cap)
    return false, used, reserved
  end
  return true, used, reserved
end

-- The job's new reservation; nil and what is used and reserved when the cap does not cover it.
function Budgets.reserve(tenant, ledger, month, nano, cap)
  local covered, used, reserved = Budgets.covers(tenant, ledger, month, nano, cap)
  if not covered then
    return nil, used, reserved
  end
  Budgets.add(BUDGET .. tenant .. ':' .. month, ledger .. ':reserved', nano)
  return month .. '|' .. string.format('%.0f', nano)
end

-- What is still reserved goes back; answers the job's reservation as it is then.
function Budgets.unreserve(id, tenant, ledger, reservation)
  local month, open = reservation:match('^(.-)|(.*)$')
  if open ~= '' then
    call('HINCRBY', BUDGET .. tenant .. ':' .. month, ledger .. ':reserved', '-' .. open)
    reservation = month .. '|'
    call('HSET', JOB .. id, 'reservation', reservation)
  end
  return reservation
end

-- Adds to what is used; `cap` is false where none applies.
function Budgets.spend(tenant, ledger, month, nano, cap)
  local budget = BUDGET .. tenant .. ':' .. month
  Budgets.add(budget, ledger .. ':used', nano)
  local used = cap and tonumber(call('HGET', budget, ledger .. ':used'))
  if used and used >= cap * 0.8 then
    tell_threshold(tenant, ledger, budget, month, 80, used, cap)
  end
end

function Budgets.cap_of(tenant, ledger)
  return number(
    call('HGET', TENANT .. tenant, 'budget:' .. ledger),
    number(call('HGET', SCHEDULER, 'budget:' .. ledger), math.huge)
  )
end

return Budgets
