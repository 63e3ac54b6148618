-- Usage: what each attempt reported, once, in the job's record and in the tenant's ledger.

local Usage = {}

-- A tenant could invent models without end: past this many rows in a day the rest is kept together.
local ROWS_A_DAY = 200
local USAGE_LIFE_MS = 400 * 24 * 3600 * 1000

-- A ledger's row: whole numbers by name, `requests=3 cost_nano=1500`; one that is not there is 0, and
-- one that this release does not know stays. Before schema 2: these in this order, with spaces between.
-- All are exact below 2^53, which is 9 million dollars.
local COUNTERS = {
  'requests',
  'completed',
  'failed',
  'cancelled',
  'expired',
  'input_tokens',
  'output_tokens',
  'cached_input_tokens',
  'cost_nano',
  'unpriced_requests',
}

local function read_row(text)
  local counts = {}
  if text:find('=', 1, true) then
    for name, count in text:gmatch('([%w_]+)=(%d+)') do
      counts[name] = tonumber(count)
    end
  else
    local next_count = text:gmatch('%d+')
    for i = 1, #COUNTERS do
      counts[COUNTERS[i]] = tonumber(next_count() or 0)
    end
  end
  return counts
end

local function row_text(counts)
  local parts = {}
  if Schema.is_at_least(2) then
    for name, count in pairs(counts) do
      if count ~= 0 then
        parts[#parts + 1] = name .. string.format('=%.0f', count)
      end
    end
    -- As a row says the same, it is the same.
    table.sort(parts)
  else
    for i = 1, #COUNTERS do
      parts[i] = string.format('%.0f', counts[COUNTERS[i]] or 0)
    end
  end
  return table.concat(parts, ' ')
end

-- Adds amounts, by counter, to a row as it stands (false: there is none yet).
local function add_to_row(ledger, row, text, amounts)
  local counts = read_row(text or '')
  for name, amount in pairs(amounts) do
    counts[name] = (counts[name] or 0) + amount
  end
  call('HSET', ledger, row, row_text(counts))
end

-- Adds amounts to today's row of a job, and of the batch that it is a line of (`stem`; nil none);
-- `job`: tenant, provider, model and credential.
function Usage.count(job, stem, amounts)
  local ledger = USAGE .. job.tenant .. ':' .. Calendar.day_of(now)
  local row = job.provider .. '|' .. job.model .. '|' .. job.credential
  local counts = call('HGET', ledger, row)
  if not counts and call('HLEN', ledger) >= ROWS_A_DAY then
    row = job.provider .. '|other|' .. job.credential
    counts = call('HGET', ledger, row)
  end
  add_to_row(ledger, row, counts, amounts)
  if not counts then
    call('PEXPIRE', ledger, USAGE_LIFE_MS)
  end
  -- An attempt may report when its batch is no longer stored.
  if stem and call('EXISTS', BATCH .. stem) == 1 then
    row = Calendar.day_of(now) .. '|' .. row
    add_to_row(BATCH_USAGE .. stem, row, call('HGET', BATCH_USAGE .. stem, row), amounts)
  end
end

local BILLED = { 'billed_input', 'billed_output', 'billed_cached', 'billed_nano' }

-- usage: {input, output, cached, cost in nano-dollars}, each '' when it is unknown. What is unknown
-- adds to no sum; a job with a call of unknown cost counts as unpriced, once.
function Usage.add_attempt(id, job, usage)
  local record = JOB .. id
  for i = 1, #BILLED do
    if usage[i] ~= '' then
      call('HINCRBY', record, BILLED[i], usage[i])
    end
  end
  local unpriced = 0
  if usage[4] == '' then
    unpriced = call('HSETNX', record, 'unpriced', 1)
  end
  Usage.count(job, Lines.batch_of(id), {
    input_tokens = number(usage[1], 0),
    output_tokens = number(usage[2], 0),
    cached_input_tokens = number(usage[3], 0),
    cost_nano = number(usage[4], 0),
    unpriced_requests = unpriced,
  })
end

return Usage
