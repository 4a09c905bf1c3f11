-- Says that somebody listens, for a while, and tells workers where that is news to them.
--
-- KEYS  1 workers
-- ARGV  1 what for: 'ends' or 'events'  2 for how many milliseconds
-- RETURN  1 where nobody did until now, else 0

local until_now = redis.call('ZSCORE', base .. 'tracked', ARGV[1])
redis.call('ZADD', base .. 'tracked', now() + ARGV[2], ARGV[1])
redis.call('PEXPIRE', base .. 'tracked', ARGV[2])
if until_now and tonumber(until_now) >= now() then return 0 end
signal('tracked')
return 1
