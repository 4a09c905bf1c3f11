-- Puts jobs that have not begun back at the head of the queue, oldest first to be taken again. No attempt is counted. Last part.
--
-- KEYS  1 workers  2 held list of the worker  3 waiting
-- ARGV  1 worker  then for each job, newest first: place in the held list, text its element begins with
-- RETURN  1, or 0 when the worker's lease is lost (nothing was done)

if not redis.call('ZSCORE', KEYS[1], ARGV[1]) then return 0 end
for index = 2, #ARGV, 2 do
  local place, element = find(KEYS[2], ARGV[index], ARGV[index + 1])
  if place then
    -- In this order: one that is refused stays where it is.
    redis.call('RPUSH', KEYS[3], element)
    remove(KEYS[2], place)
  end
end
return 1
