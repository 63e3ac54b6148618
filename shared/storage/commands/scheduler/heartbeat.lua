-- heartbeat: a worker says how many jobs it can hold, and learns which running jobs are to be aborted.
--
-- In:  worker; slots (0: it leaves); alive_ms: until it is taken for dead; schema: the newest version of
--      what is stored that the worker knows; limits: of a tenant without limits of its own, each as its
--      field and its value ('' none)
-- Out: {ids whose cancellation was asked for}

if input.slots == 0 then
  call('HDEL', WORKERS, input.worker)
  call('HDEL', WORKER_SCHEMAS, input.worker)
else
  call('HSET', WORKERS, input.worker, input.slots .. ':' .. (now + input.alive_ms))
  call('HSET', WORKER_SCHEMAS, input.worker, input.schema)
end
call('HSET', SCHEDULER, unpack(input.limits))
Lanes.read_capacity()
return call('SRANDMEMBER', CANCELLING, 64)
