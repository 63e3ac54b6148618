-- Line numbers as ids write them: Crockford's base32 in 4 characters, of which the first three name a part of BATCH_LINES.

local BASE32 = '0123456789abcdefghjkmnpqrstvwxyz'

local function line_text(line)
  local text = ''
  for _ = 1, 4 do
    local digit = line % 32
    text = BASE32:sub(digit + 1, digit + 1) .. text
    line = (line - digit) / 32
  end
  return text
end
