-- What goes of a final job that is erased. A stub stays behind for as long as an attempt of it may still report usage. `held`: its bytes (nil none).
local function forget_job(id, tenant, held, stub_ms)
  if held then
    forget_held(tenant, held)
  end
  call('HDEL', JOB .. id, 'metadata', 'detail', 'held')
  call('HSET', JOB .. id, 'erased', 1)
  call('PEXPIRE', JOB .. id, stub_ms)
  call('DEL', RESULT .. id)
end
