-- Gives a grouped job back because another one comes before it, without counting an attempt. The first of the line goes instead; where that one is not
-- there yet, the job rests for a while, and its group with it.
--
-- KEYS  1 workers  2 held list of the worker
-- ARGV  1 worker  2 place in the held list  3 text its element begins with  4 the element  5 its id  6 its group  7 its place among all jobs
--       8 how long it rests, in milliseconds
-- RETURN  1, or 0 when the worker does not hold the job (nothing was done)

if not redis.call('ZSCORE', KEYS[1], ARGV[1]) then return 0 end
local first = redis.call('ZRANGE', base .. 'line:' .. ARGV[6], 0, 0, 'WITHSCORES')
if first[2] and tonumber(first[2]) < tonumber(ARGV[7]) then
  enter_line(ARGV[6], ARGV[4], 0, ARGV[7])
  if not release(KEYS[2], ARGV[2], ARGV[3]) then
    redis.call('ZREM', base .. 'line:' .. ARGV[6], '0|' .. ARGV[4])
    redis.call('DECR', base .. 'blocked')
    return 0
  end
  leave_group(ARGV[6], ARGV[5])
else
  if not schedule(ARGV[4], now() + ARGV[8]) then return 0 end
  if not release(KEYS[2], ARGV[2], ARGV[3]) then
    redis.call('ZREM', base .. 'scheduled', ARGV[4])
    return 0
  end
end
placed()
