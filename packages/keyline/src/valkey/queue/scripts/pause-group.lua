-- Pauses one group, or lets it go on.
--
-- KEYS  1 workers
-- ARGV  1 the group  2 'pause' or 'resume'
-- RETURN  1, or 0 when it was so already

local change = ARGV[2] == 'pause' and 'SADD' or 'SREM'
if redis.call(change, base .. 'paused', ARGV[1]) == 0 then return 0 end
local count = redis.call('SCARD', base .. 'paused')
if count > 0 then
  redis.call('HSET', base .. 'gates', 'paused.groups', count)
else
  redis.call('HDEL', base .. 'gates', 'paused.groups')
end
redis.call('DEL', base .. 'gated')
signal('gates')
if ARGV[2] == 'resume' then admit_next(ARGV[1]) end
placed()
return 1
