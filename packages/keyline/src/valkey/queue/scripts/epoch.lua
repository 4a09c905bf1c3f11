-- Names the memory of this server: the run id of its process, and a tag that is gone when its memory is.
--
-- KEYS  1 epoch
-- ARGV  1 a random tag  2 what names the process for users who may not use INFO, or ''
-- RETURN  the epoch; another one than before after a restart, a failover or a FLUSHALL

local run = ARGV[2] ~= '' and ARGV[2] or string.match(redis.call('INFO', 'server'), 'run_id:(%w+)')
local epoch = redis.call('GET', KEYS[1])
if epoch and string.sub(epoch, 1, #run) == run then return epoch end
epoch = run .. ':' .. ARGV[1]
redis.call('SET', KEYS[1], epoch)
return epoch
