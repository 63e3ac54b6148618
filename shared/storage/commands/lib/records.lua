-- Records: hashes whose fields are written by name. What each of them holds: shared/domain/records.

local Records = {}

-- The fields as field, value, …, without those that are nil, false or '': an absent field says the same.
function Records.flat(fields)
  local flat = {}
  for field, value in pairs(fields) do
    if value and value ~= '' then
      flat[#flat + 1] = field
      flat[#flat + 1] = value
    end
  end
  return flat
end

function Records.write(key, fields)
  call('HSET', key, unpack(Records.flat(fields)))
end

return Records
