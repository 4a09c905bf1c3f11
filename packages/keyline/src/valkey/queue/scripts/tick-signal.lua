-- Tells workers that a tick may be due earlier than they know. Last part.
--
-- KEYS  1 workers
-- RETURN  nothing

signal('ticks')
