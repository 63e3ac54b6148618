-- heartbeat: a worker says how many jobs it can hold, and learns which running jobs are to be aborted.
--
-- In:  1 worker, 2 slots (0: it leaves), 3 ms until it is taken for dead,
--      4 most jobs in flight and 5 most tokens a minute of a tenant without limits of its own ('' none), 6 its budget of a month on the platform's account in nano-dollars ('' none)
-- Out: {ids whose cancellation was asked for}

if ARGV[2] == '0' then
  call('HDEL', WORKERS, ARGV[1])
else
  call('HSET', WORKERS, ARGV[1], ARGV[2] .. ':' .. (now + tonumber(ARGV[3])))
end
call('HSET', SCHEDULER, 'max_in_flight', ARGV[4], 'tokens_per_minute', ARGV[5], 'budget:platform', ARGV[6])
read_capacity()
return call('SRANDMEMBER', CANCELLING, 64)
