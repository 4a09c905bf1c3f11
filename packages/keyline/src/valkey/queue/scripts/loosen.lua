-- Part of the scripts that end jobs: loosens what those were tied to that this worker held. The parts before it say how, and how to `undo` what they did.
--
-- ARGV from `ties_at` on: how many of the jobs have a group, for each of these: number of the job among the finished (from 1), id, group
--       then for each other tie: number of the job, kind, value

local function loosen()
  local is_missing = {}
  for _, number in ipairs(missing) do is_missing[tostring(number)] = true end
  local others_at = ties_at + 1 + 3 * (ARGV[ties_at] or 0)
  local ids, groups = {}, {}
  local count = 0
  for index = ties_at + 1, others_at - 1, 3 do
    if not is_missing[ARGV[index]] then
      count = count + 1
      ids[count], groups[count] = ARGV[index + 1], ARGV[index + 2]
    end
  end
  leave_groups(groups, ids)
  for index = others_at, #ARGV, 3 do
    if not is_missing[ARGV[index]] then ties[ARGV[index + 1]](ARGV[index + 2]) end
  end
  end_children()
  placed()
end

local is_loose, refusal = pcall(loosen)
if not is_loose then
  if undo then undo() end
  return type(refusal) == 'table' and refusal or redis.error_reply(refusal)
end
