-- Nothing is left to do for a family whose parent has ended. Last part.
--
-- KEYS  1 workers
-- ARGV  1 family  2 how it has ended
-- RETURN  1, or 0 when it has not ended like that: it goes on

if redis.call('HGET', base .. 'family:' .. ARGV[1], 'ended') ~= ARGV[2] then return 0 end
if ARGV[2] == 'dead' then
  redis.call('HDEL', base .. 'family:' .. ARGV[1], 'ended')
  keep_family(ARGV[1], dead_kept_ms)
else
  forget_family(ARGV[1])
end
redis.call('ZREM', base .. 'families', ARGV[1])
return 1
