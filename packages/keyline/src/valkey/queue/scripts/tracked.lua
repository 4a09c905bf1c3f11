-- Who listens to what becomes of jobs.
--
-- KEYS  1 workers
-- RETURN  'ends', 'events', both or none

return redis.call('ZRANGE', base .. 'tracked', now(), '+inf', 'BYSCORE')
