-- Tells what becomes of jobs where that is no part of another step.
--
-- KEYS  1 workers
-- ARGV  for each: what, id, details
-- RETURN  1 while somebody follows, else 0

for index = 1, #ARGV, 3 do tell_event(ARGV[index], ARGV[index + 1], ARGV[index + 2]) end
return events_period and 1 or 0
