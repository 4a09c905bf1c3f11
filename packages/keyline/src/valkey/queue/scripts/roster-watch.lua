-- Somebody asks what workers run: last part, behind place.lua. They are told at once where that is news.
--
-- KEYS  1 workers
-- ARGV  1 for how many milliseconds
-- RETURN  1

if redis.call('SET', base .. 'watched', 1, 'NX', 'PX', ARGV[1]) then
  signal('watched')
else
  redis.call('PEXPIRE', base .. 'watched', ARGV[1])
end
return 1
