-- Ends a job for good without success: it leaves the held list and becomes a dead letter.
--
-- KEYS  1 workers  2 held list of the worker  3 dead  4 ids
-- ARGV  1 worker  2 place in the held list  3 text its element begins with  4 the dead letter, or ''  5 the id its caller chose, or ''
-- RETURN  1, or 0 when the worker does not hold the job (nothing was done)

if not redis.call('ZSCORE', KEYS[1], ARGV[1]) then return 0 end
-- Written first: a letter that is refused leaves the job where it is.
if ARGV[4] ~= '' then redis.call('LPUSH', KEYS[3], ARGV[4]) end
if not release(KEYS[2], ARGV[2], ARGV[3]) then
  if ARGV[4] ~= '' then redis.call('LPOP', KEYS[3]) end
  return 0
end
if ARGV[5] ~= '' then redis.call('SREM', KEYS[4], ARGV[5]) end
return 1
