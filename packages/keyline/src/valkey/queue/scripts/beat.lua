#!lua flags=allow-oom
-- Renews the lease of a worker and tells it what its duties need to know.
--
-- KEYS  1 workers  2 held list of the worker  3 scheduled
-- ARGV  1 worker  2 lease in milliseconds
-- RETURN  0 when the lease is lost (it is not begun again: its held list was given to others), else
--         { length of the held list, milliseconds until the next scheduled job is due or -1, a worker whose lease has ended or '' }

if not redis.call('ZSCORE', KEYS[1], ARGV[1]) then return 0 end
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
redis.call('ZADD', KEYS[1], now + ARGV[2], ARGV[1])
local ended = redis.call('ZRANGE', KEYS[1], '-inf', now, 'BYSCORE', 'LIMIT', 0, 1)
local next_due = redis.call('ZRANGE', KEYS[3], 0, 0, 'WITHSCORES')
local wait = -1
if next_due[2] then wait = math.max(0, next_due[2] - now) end
return { redis.call('LLEN', KEYS[2]), wait, ended[1] or '' }
