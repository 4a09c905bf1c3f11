-- Part of the scripts that end jobs: loosens what those were tied to that this worker held. The parts before it say how, one kind each.
--
-- ARGV from `ties_at` on, for each tie: number of the job among the finished (from 1), kind, value

local is_missing = {}
for _, number in ipairs(missing) do is_missing[number] = true end
for index = ties_at, #ARGV, 3 do
  if not is_missing[tonumber(ARGV[index])] then ties[ARGV[index + 1]](ARGV[index + 2]) end
end
leave_groups(left_groups, left_ids)
placed()
