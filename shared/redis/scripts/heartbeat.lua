-- heartbeat: a worker says how many jobs it can hold, and learns which running jobs are to be aborted.
--
-- In:  1 worker, 2 slots (0: it leaves), 3 ms until it is taken for dead
-- Out: {ids whose cancellation was asked for}

if ARGV[2] == '0' then
  call('HDEL', WORKERS, ARGV[1])
else
  call('HSET', WORKERS, ARGV[1], ARGV[2] .. ':' .. (now + tonumber(ARGV[3])))
end
read_capacity()
return call('SRANDMEMBER', CANCELLING, 64)
