-- The workers that may not know the gates yet: those whose lease goes on and that have not looked since these were changed.
--
-- KEYS  1 workers
-- RETURN  their names

local missing = {}
-- Whoever does not know that all gates are gone keeps nobody waiting.
if redis.call('EXISTS', base .. 'gates') == 0 then return missing end
for _, worker in ipairs(redis.call('ZRANGE', base .. 'workers', now(), '+inf', 'BYSCORE')) do
  if redis.call('SISMEMBER', base .. 'gated', worker) == 0 then missing[#missing + 1] = worker end
end
return missing
