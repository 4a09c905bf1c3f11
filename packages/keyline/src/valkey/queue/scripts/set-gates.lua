-- Sets or clears gates, and tells all workers.
--
-- KEYS  1 workers
-- ARGV  names and values; an empty value clears the gate

local before = tonumber(redis.call('HGET', base .. 'gates', 'group.concurrency') or 1)
for index = 1, #ARGV, 2 do
  if ARGV[index + 1] == '' then
    redis.call('HDEL', base .. 'gates', ARGV[index])
  else
    redis.call('HSET', base .. 'gates', ARGV[index], ARGV[index + 1])
  end
end
note_lowered(before)
redis.call('DEL', base .. 'gated')
signal('gates')
return 1
