-- Notes how far jobs have come, and tells those who follow that.
--
-- String progress:ID: as JSON, until the job has ended
--
-- KEYS  1 workers
-- ARGV  1 for how many milliseconds it is kept at the most  then for each: id, progress as JSON
-- RETURN  1

for index = 2, #ARGV, 2 do
  redis.call('SET', base .. 'progress:' .. ARGV[index], ARGV[index + 1], 'PX', ARGV[1])
  tell_event('progress', ARGV[index], ARGV[index + 1])
end
return 1
