-- Usage: what each attempt reported, once, in the job's record and in the tenant's ledger.

-- A tenant could invent models without end: past this many in a day the rest is kept together.
local MODELS_A_DAY = 200
local USAGE_LIFE_MS = 400 * 24 * 3600 * 1000

local function day_of(ms)
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

-- The ledger of today and the row in it that a job counts in.
local function ledger_row(tenant, provider, model, credential)
  local ledger = USAGE .. tenant .. ':' .. day_of(now)
  local row = provider .. '|' .. model .. '|' .. credential .. '|'
  local seen = row .. 'seen'
  if call('HSETNX', ledger, seen, 1) == 1 then
    if call('HINCRBY', ledger, 'models', 1) > MODELS_A_DAY then
      call('HDEL', ledger, seen)
      row = provider .. '|other|' .. credential .. '|'
    end
    call('PEXPIRE', ledger, USAGE_LIFE_MS)
  end
  return ledger, row
end

-- job: {tenant, provider, model, credential}; usage: {input, output, cached, cost in nano-dollars or '' where no price is known}.
local function account(id, job, usage)
  local ledger, row = ledger_row(job[1], job[2], job[3], job[4])
  local record = JOB .. id
  call('HINCRBY', ledger, row .. 'input_tokens', usage[1])
  call('HINCRBY', ledger, row .. 'output_tokens', usage[2])
  call('HINCRBY', ledger, row .. 'cached_input_tokens', usage[3])
  call('HINCRBY', record, 'billed_input', usage[1])
  call('HINCRBY', record, 'billed_output', usage[2])
  call('HINCRBY', record, 'billed_cached', usage[3])
  if usage[4] ~= '' then
    call('HINCRBY', ledger, row .. 'cost_nano', usage[4])
    call('HINCRBY', record, 'billed_nano', usage[4])
  elseif call('HSETNX', record, 'unpriced', 1) == 1 then
    call('HINCRBY', ledger, row .. 'unpriced_requests', 1)
  end
end
