-- Sets or clears gates, and tells all workers.
--
-- KEYS  1 workers
-- ARGV  names and values; an empty value clears the gate

local before = group_rules()
for index = 1, #ARGV, 2 do
  if ARGV[index + 1] == '' then
    redis.call('HDEL', base .. 'gates', ARGV[index])
  else
    redis.call('HSET', base .. 'gates', ARGV[index], ARGV[index + 1])
  end
end
follow_group_rules(before)
redis.call('DEL', base .. 'gated')
signal('gates')
placed()
return 1
