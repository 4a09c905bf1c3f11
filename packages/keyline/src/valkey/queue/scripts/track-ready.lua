-- From now on what becomes of jobs is told, if all workers whose lease goes on know that somebody follows. Last part.
--
-- KEYS  1 workers
-- ARGV  1 '1' to wait for nobody any longer
-- RETURN  1, or 0 while some do not know

if ARGV[1] ~= '1' then
  for _, worker in ipairs(redis.call('ZRANGE', base .. 'workers', now(), '+inf', 'BYSCORE')) do
    if redis.call('SISMEMBER', base .. 'aware', worker) == 0 then return 0 end
  end
end
redis.call('HSET', base .. 'feed:state', 'ready', 1)
return 1
