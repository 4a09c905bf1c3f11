-- Lets jobs of these groups in, as far as the limit lets: it was raised.
--
-- KEYS  1 workers
-- ARGV  groups

for _, group in ipairs(ARGV) do admit_next(group) end
placed()
return 1
