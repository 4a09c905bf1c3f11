#!lua flags=allow-oom
-- Begins the lease of a worker or a consumer.
--
-- KEYS  1 workers or consumers
-- ARGV  1 name  2 lease in milliseconds
-- RETURN  1

local time = redis.call('TIME')
redis.call('ZADD', KEYS[1], time[1] * 1000 + math.floor(time[2] / 1000) + ARGV[2], ARGV[1])
return 1
