-- look-up-key: a platform key and its tenant as they stand, in one step.
--
-- In:  id
-- Out: {key as field, value, …, tenant as field, value, …}; {} where there is no such key

local key = call('HGETALL', PLATFORM_KEY .. input.id)
if #key == 0 then
  return {}
end
return { key, call('HGETALL', TENANT_RECORD .. call('HGET', PLATFORM_KEY .. input.id, 'tenant')) }
