-- Part behind held.lua of the scripts that end the attempt of one job: where that is, as `place`. What they write comes first, and what they remove last:
-- a job whose end is refused is still held.
--
-- KEYS  1 workers  2 held list of the worker
-- ARGV  1 worker  2 place in the held list  3 text its element begins with

if not redis.call('ZSCORE', KEYS[1], ARGV[1]) then return 0 end
local place = find(KEYS[2], ARGV[2], ARGV[3])
if not place then return 0 end
