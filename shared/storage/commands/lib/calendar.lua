-- Days and months in UTC.

local Calendar = {}

function Calendar.day_of(ms)
  -- Civil date from days since 1970-01-01 (Howard Hinnant, chrono-compatible low-level date algorithms).
  local z = math.floor(ms / 86400000) + 719468
  local era = math.floor(z / 146097)
  local doe = z - era * 146097
  local yoe = math.floor((doe - math.floor(doe / 1460) + math.floor(doe / 36524) - math.floor(doe / 146096)) / 365)
  local doy = doe - (365 * yoe + math.floor(yoe / 4) - math.floor(yoe / 100))
  local mp = math.floor((5 * doy + 2) / 153)
  local day = doy - math.floor((153 * mp + 2) / 5) + 1
  local month = mp < 10 and mp + 3 or mp - 9
  local year = yoe + era * 400 + (month <= 2 and 1 or 0)
  return string.format('%04d-%02d-%02d', year, month, day)
end

function Calendar.month_of(ms)
  return Calendar.day_of(ms):sub(1, 7)
end

return Calendar
