-- Says that somebody listens, for a while, and tells workers where that is news to them. Last part, behind tell-event.lua.
--
-- Sorted set tracked: 'ends' (who waits for jobs) and 'events' (who follows all of them), each until when in the server's milliseconds
-- Set aware: workers that know that somebody follows
--
-- KEYS  1 workers
-- ARGV  1 'ends' or 'events'  2 for how many milliseconds
-- RETURN  1 where not all workers may know yet, else 0

local till = redis.call('ZSCORE', base .. 'tracked', ARGV[1])
local is_new = not till or tonumber(till) < now()
redis.call('ZADD', base .. 'tracked', now() + ARGV[2], ARGV[1])
redis.call('PEXPIRE', base .. 'tracked', ARGV[2])
if is_new then signal('tracked') end
if ARGV[1] ~= 'events' then return is_new and 1 or 0 end
if is_new or redis.call('EXISTS', base .. 'feed:state') == 0 then
  -- What came since the last one went was not written.
  begin_period('unwatched')
  redis.call('HDEL', base .. 'feed:state', 'ready')
  redis.call('DEL', base .. 'aware')
end
redis.call('PEXPIRE', base .. 'feed:state', 86400000)
redis.call('PEXPIRE', base .. 'feed', 86400000)
return redis.call('HGET', base .. 'feed:state', 'ready') == '1' and 0 or 1
