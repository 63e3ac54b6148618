-- read-usage: a tenant's ledger of some days, a text for each: an answer of so many small strings
-- would take longer to read than all the rest.
--
-- In:  tenant; days
-- Out: {for each day: row, counts, row, counts, … in lines; '' where nothing was used}

local texts = {}
for i = 1, #input.days do
  texts[#texts + 1] = table.concat(call('HGETALL', USAGE .. input.tenant .. ':' .. input.days[i]), '\n')
end
return texts
