-- touch-key: a platform key was used. One that was revoked meanwhile stays gone.
--
-- In:  id
-- Out: nothing of use

if call('EXISTS', PLATFORM_KEY .. input.id) == 1 then
  call('HSET', PLATFORM_KEY .. input.id, 'used', now)
end
return 0
