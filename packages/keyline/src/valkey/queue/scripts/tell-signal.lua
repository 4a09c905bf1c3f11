-- Tells workers that there may be something to look at. Last part.
--
-- KEYS  1 workers
-- ARGV  1 what: signals.ts has the kinds
-- RETURN  nothing

signal(ARGV[1])
