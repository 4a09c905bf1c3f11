-- Sets or clears gates, and tells all workers.
--
-- KEYS  1 workers
-- ARGV  1 when they are set only where none are ('absent'), or always ('')  then names and values; an empty value clears the gate
-- RETURN  1, or 0 when nothing was done

if ARGV[1] == 'absent' and redis.call('EXISTS', base .. 'gates') == 1 then return 0 end
for index = 2, #ARGV, 2 do
  if ARGV[index + 1] == '' then
    redis.call('HDEL', base .. 'gates', ARGV[index])
  else
    redis.call('HSET', base .. 'gates', ARGV[index], ARGV[index + 1])
  end
end
redis.call('DEL', base .. 'gated')
signal('gates')
return 1
