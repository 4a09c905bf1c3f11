-- Lets jobs of these groups in, as far as the limit lets: it was raised, or lowered.
--
-- KEYS  1 workers
-- ARGV  groups
-- RETURN  of how many of them more were let in than may run now

local beyond = 0
read_rules()
for _, group in ipairs(ARGV) do
  admit_next(group)
  if read_group(group).count > most then beyond = beyond + 1 end
end
placed()
return beyond
