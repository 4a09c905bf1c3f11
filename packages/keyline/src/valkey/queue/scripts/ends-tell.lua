-- Tells that a job has ended which no worker had: its record says how.
--
-- KEYS  1 workers
-- ARGV  1 id
-- RETURN  OK

tell_end(ARGV[1], '', 'look', 1)
return redis.status_reply('OK')
