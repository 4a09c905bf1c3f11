-- Drops a page of the dead letters that are too old or too many, oldest first.
--
-- KEYS  1 dead
-- ARGV  1 how many are kept  2 for how many milliseconds  3 page
-- RETURN  how many were dropped

return drop_letters(KEYS[1], tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3]))
