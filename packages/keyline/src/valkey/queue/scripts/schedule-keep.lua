-- Writes a schedule and adds the jobs of its ticks, if nobody has changed it since it was read. Last part.
--
-- KEYS  1 workers
-- ARGV  1 name  2 what the text that was read begins with, '' when there was none  3 its text from now on
--       4 time of its next tick, '' when it has none  5... elements
-- RETURN  1 written, 0 it is not as it was read

local text = redis.call('HGET', base .. 'schedules', ARGV[1])
if ARGV[2] == '' then
  if text then return 0 end
elseif not text or string.sub(text, 1, #ARGV[2]) ~= ARGV[2] then
  return 0
end
-- In this order: where memory has run out the first is refused, and nothing is done.
for index = 5, #ARGV do push(ARGV[index], '') end
redis.call('HSET', base .. 'schedules', ARGV[1], ARGV[3])
if ARGV[4] == '' then
  redis.call('ZREM', base .. 'ticks', ARGV[1])
else
  redis.call('ZADD', base .. 'ticks', ARGV[4], ARGV[1])
  if #ARGV == 4 and redis.call('ZRANGE', base .. 'ticks', 0, 0)[1] == ARGV[1] then signal('ticks') end
end
return 1
