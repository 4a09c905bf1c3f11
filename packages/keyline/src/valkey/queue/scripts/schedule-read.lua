-- Reads a schedule.
--
-- KEYS  1 schedules
-- ARGV  1 name
-- RETURN  { the server's time in milliseconds, the schedule's text or nil }

local time = redis.call('TIME')
return { time[1] * 1000 + math.floor(time[2] / 1000), redis.call('HGET', KEYS[1], ARGV[1]) }
