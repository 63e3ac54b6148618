-- erase: forgets what a final job held. A stub stays behind for as long as an attempt of it may still report usage.
--
-- In:  1 id, 2 tenant, 3 ms that the stub stays
-- Out: 'gone' | 'conflict' | 'erased'

local id = ARGV[1]
local job = call('HMGET', JOB .. id, 'tenant', 'status', 'erased')
if job[1] ~= ARGV[2] or job[3] then
  return 'gone'
end
if not FINAL[job[2]] then
  return 'conflict'
end
call('HDEL', JOB .. id, 'metadata', 'detail')
call('HSET', JOB .. id, 'erased', 1)
call('PEXPIRE', JOB .. id, ARGV[3])
call('DEL', RESULT .. id)
return 'erased'
