-- Names the memory of this server: the run id of its process, and a tag that is gone when its memory is.
--
-- KEYS  1 marker
-- ARGV  1 a random tag
-- RETURN  the epoch; another one than before after a restart, a failover or a FLUSHALL

local run = string.match(redis.call('INFO', 'server'), 'run_id:(%w+)')
local marker = redis.call('GET', KEYS[1])
if marker and string.sub(marker, 1, #run) == run then return marker end
marker = run .. ':' .. ARGV[1]
redis.call('SET', KEYS[1], marker)
return marker
