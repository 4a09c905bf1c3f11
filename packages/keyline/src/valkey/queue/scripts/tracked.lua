-- Who listens to what becomes of jobs. Last part.
--
-- KEYS  1 workers
-- ARGV  1 the worker that asks, or ''
-- RETURN  'ends', 'events', both or none

local kinds = redis.call('ZRANGE', base .. 'tracked', now(), '+inf', 'BYSCORE')
for _, kind in ipairs(kinds) do
  if kind == 'events' and ARGV[1] ~= '' then
    redis.call('SADD', base .. 'aware', ARGV[1])
    redis.call('PEXPIRE', base .. 'aware', 86400000)
  end
end
return kinds
