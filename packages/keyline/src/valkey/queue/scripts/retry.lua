-- Ends an attempt that failed: the job leaves the held list and waits for its due time.
--
-- KEYS  1 workers  2 held list of the worker  3 scheduled  4 waiting
-- ARGV  1 worker  2 place in the held list  3 text its element begins with  4 the new element  5 delay in milliseconds
--       then, of a grouped job: 6 its id  7 its group
-- RETURN  1, or 0 when the worker does not hold the job (nothing was done)

local time = redis.call('TIME')
local due = time[1] * 1000 + math.floor(time[2] / 1000) + ARGV[5]
-- Two equal ones (a foreign writer added them) would be one member: the second goes on at once instead of vanishing.
if redis.call('ZADD', KEYS[3], 'NX', due, ARGV[4]) == 0 then redis.call('LPUSH', KEYS[4], ARGV[4]) end
