-- touch-key: a platform key was used. One that was revoked meanwhile stays gone.
--
-- In:  1 key
-- Out: nothing of use

if call('EXISTS', PLATFORM_KEY .. ARGV[1]) == 1 then
  call('HSET', PLATFORM_KEY .. ARGV[1], 'used', now)
end
return 0
