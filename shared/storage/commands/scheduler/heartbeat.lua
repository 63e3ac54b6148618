-- heartbeat: a worker says how many jobs it can hold, and learns which running jobs are to be aborted.
--
-- In:  worker; slots (0: it leaves); alive_ms: until it is taken for dead; max_in_flight,
--      tokens_per_minute: of a tenant without limits of its own ('' none); budget_nano: its cap of a month
--      on the platform's account ('' none); schema: the newest version of what is stored that the worker
--      knows
-- Out: {ids whose cancellation was asked for}

if input.slots == 0 then
  call('HDEL', WORKERS, input.worker)
  call('HDEL', WORKER_SCHEMAS, input.worker)
else
  call('HSET', WORKERS, input.worker, input.slots .. ':' .. (now + input.alive_ms))
  call('HSET', WORKER_SCHEMAS, input.worker, input.schema)
end
call(
  'HSET',
  SCHEDULER,
  'max_in_flight',
  input.max_in_flight,
  'tokens_per_minute',
  input.tokens_per_minute,
  'budget:platform',
  input.budget_nano
)
Lanes.read_capacity()
return call('SRANDMEMBER', CANCELLING, 64)
