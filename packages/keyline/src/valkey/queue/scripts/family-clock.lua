-- The time of the server that has this queue.
--
-- KEYS  1 workers
-- RETURN  milliseconds since 1970

return now()
