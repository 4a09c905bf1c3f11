#!lua flags=allow-oom
-- Writes what a worker runs, if somebody asks for it.
--
-- KEYS  1 whether somebody asks  2 what it runs
-- ARGV  1 the text  2 for how many milliseconds
-- RETURN  1 where somebody asks, else 0

if redis.call('EXISTS', KEYS[1]) == 0 then return 0 end
redis.call('SET', KEYS[2], ARGV[1], 'PX', ARGV[2])
return 1
