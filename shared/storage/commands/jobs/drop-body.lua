-- drop-body: forgets the pieces of a request that was not accepted.
--
-- In:  id; tenant
-- Out: 'dropped' | 'kept' where the request was accepted after all

if call('EXISTS', JOB .. input.id) == 1 then
  return 'kept'
end
Bodies.leave(input.id, input.tenant)
call('UNLINK', REQUEST_BODY .. input.id)
return 'dropped'
