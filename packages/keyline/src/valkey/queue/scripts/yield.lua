-- Gives a grouped job back because another one comes before it, without counting an attempt. The first of the line goes instead; where that one is not
-- there yet, the job rests for a while, and its group with it.
--
-- KEYS  1 workers  2 held list of the worker
-- ARGV  1 worker  2 place in the held list  3 text its element begins with  4 the element  5 its id  6 its group  7 its place among all jobs
--       8 how long it rests, in milliseconds
-- RETURN  1, or 0 when the worker does not hold the job (nothing was done)

local first = redis.call('ZRANGE', base .. 'line:' .. ARGV[6], 0, 0, 'WITHSCORES')[2]
local group = read_group(ARGV[6])
if first_in_line(group) or (first and tonumber(first) < tonumber(ARGV[7])) then
  enter_by_place(group, '0|' .. ARGV[4], ARGV[7])
  leave_group(ARGV[6], ARGV[5])
else
  -- An equal one is a copy of this one, and rests already.
  schedule(ARGV[4], now() + ARGV[8])
end
placed()
