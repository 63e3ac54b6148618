-- read-budget: how a tenant's budgets of this month stand.
--
-- In:  tenant
-- Out: {month, of the platform: {used, reserved, missed, cap of which 80 % was told ('' none),
--      cap that a call did not fit ('' none)}, of users: the same}; nano-dollars

local month = Calendar.month_of(now)
local answer = { month }
for _, ledger in ipairs({ 'platform', 'user' }) do
  local row = call(
    'HMGET',
    BUDGET .. input.tenant .. ':' .. month,
    ledger .. ':used',
    ledger .. ':reserved',
    ledger .. ':missed',
    ledger .. ':told:80',
    ledger .. ':told:100'
  )
  for i = 1, 5 do
    row[i] = row[i] or ''
  end
  answer[#answer + 1] = row
end
return answer
