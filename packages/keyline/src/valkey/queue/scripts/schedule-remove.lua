#!lua flags=allow-oom
-- Removes a schedule.
--
-- KEYS  1 schedules  2 ticks
-- ARGV  1 name
-- RETURN  1 removed, 0 there was none

redis.call('ZREM', KEYS[2], ARGV[1])
return redis.call('HDEL', KEYS[1], ARGV[1])
