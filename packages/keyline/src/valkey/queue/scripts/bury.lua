-- Ends a job for good without success: it leaves the held list and becomes a dead letter, and what it was tied to is loosened.
--
-- KEYS  1 workers  2 held list of the worker  3 dead
-- ARGV  1 worker  2 place in the held list  3 text its element begins with  4 the dead letter, or ''
--       then what it is tied to: see loosen.lua
-- RETURN  1, or 0 when the worker does not hold the job (nothing was done)

if not redis.call('ZSCORE', KEYS[1], ARGV[1]) then return 0 end
-- In this order: a letter that is refused leaves the job where it is.
if ARGV[4] ~= '' then redis.call('LPUSH', KEYS[3], ARGV[4]) end
if not release(KEYS[2], ARGV[2], ARGV[3]) then
  if ARGV[4] ~= '' then redis.call('LPOP', KEYS[3]) end
  return 0
end
local ties_at, missing = 5, {}
