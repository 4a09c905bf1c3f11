-- Of no group more jobs are let in than may run: takes need not look at each any more (group-rules.lua).
--
-- KEYS  1 workers
-- ARGV  1 the number that was there before it was looked
-- RETURN  1, or 0 when it is another one

if redis.call('HGET', base .. 'gates', 'group.lowered') ~= ARGV[1] then return 0 end
return redis.call('HDEL', base .. 'gates', 'group.lowered')
