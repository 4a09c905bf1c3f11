#!lua flags=allow-oom
-- Notes names that are in use, and drops some of those that nobody has used for long.
--
-- KEYS  1 the names of one kind
-- ARGV  1 milliseconds after which a name is dropped  2 and on: members, as name-set.ts writes them
-- RETURN  1

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local scored = {}
for i = 2, #ARGV do
  scored[#scored + 1] = now
  scored[#scored + 1] = ARGV[i]
end
-- Never back: after a failover the clock may be an earlier one.
redis.call('ZADD', KEYS[1], 'GT', unpack(scored))
local old = redis.call('ZRANGE', KEYS[1], '-inf', now - ARGV[1], 'BYSCORE', 'LIMIT', 0, 100)
if old[1] then redis.call('ZREM', KEYS[1], unpack(old)) end
return 1
