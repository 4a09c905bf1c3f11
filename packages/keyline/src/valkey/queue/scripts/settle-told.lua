#!lua flags=allow-oom
-- Settles the one job that is held longest, of which somebody waits for the result, and which is tied to nothing else: as settle-oldest.lua and tie-result.lua do, without what others need,
-- as whoever waits waits for all of this script. Parts behind it tell of the end, let it go and take.
--
-- KEYS  1 workers  2 held list of the worker  3 waiting
-- ARGV  1 worker  2 how many to take  3 the text that its element begins with  4 its id  5 its result as JSON, or nothing
--       6 for how many milliseconds it is kept here  7 what is kept
-- RETURN  0 when the worker's lease is lost, -1 when the oldest held is another (nothing was done), else the elements taken

local held = KEYS[2]
local finished = 1
local missing = {}
local element = redis.call('LINDEX', held, 0)
if not element or string.sub(element, 1, #ARGV[3]) ~= ARGV[3] then return redis.call('ZSCORE', KEYS[1], ARGV[1]) and -1 or 0 end
