-- Puts elements on the schedule.
--
-- KEYS  1 scheduled
-- ARGV  for each: delay in milliseconds, element
-- RETURN  how many were added

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local added = 0
for index = 1, #ARGV, 2 do added = added + redis.call('ZADD', KEYS[1], now + ARGV[index], ARGV[index + 1]) end
return added
