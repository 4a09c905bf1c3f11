-- How long the lines of groups are in which jobs hang on one another: of as many of them as there is time for, at least one. Last part.
--
-- KEYS  1 workers
-- ARGV  groups
-- RETURN  for each: its jobs on the queue as text (groups.lua), how many stand in its line

local most_bytes = 65536

local answer, bytes = {}, 0
for _, name in ipairs(ARGV) do
  local group = read_group(name)
  local length, read = length_of_line(group)
  bytes = bytes + read
  answer[#answer + 1] = group.admitted
  answer[#answer + 1] = length
  if bytes > most_bytes then break end
end
return answer
