#!lua flags=allow-oom
-- Moves jobs whose time has come from the schedule to the queue.
--
-- KEYS  1 scheduled  2 waiting
-- ARGV  1 how many at the most
-- RETURN  milliseconds until the next one is due (0: more are due now), or -1 when none is scheduled

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local due = redis.call('ZRANGE', KEYS[1], '-inf', now, 'BYSCORE', 'LIMIT', 0, ARGV[1])
for _, element in ipairs(due) do
  -- In this order: one that is refused stays where it is.
  redis.call('LPUSH', KEYS[2], element)
  redis.call('ZREM', KEYS[1], element)
end
local next_due = redis.call('ZRANGE', KEYS[1], 0, 0, 'WITHSCORES')
if next_due[2] then return math.max(0, next_due[2] - now) end
return -1
