-- Part of the scripts that end jobs: loosens what those were tied to that this worker held. The parts before it say how, and how to `undo` what they did.
--
-- ARGV from `ties_at` on: how many of the jobs have a group, the numbers of these among the finished (from 1) with spaces between, or '' where they are the first ones;
--       then the ids of these, then their groups
--       then for each other tie: number of the job, kind, value

local function is_missing_of(numbers)
  local is_missing = {}
  for _, number in ipairs(numbers) do is_missing[tostring(number)] = true end
  return is_missing
end

local function without(is_missing, numbers, ids, groups)
  local left_ids, left_groups = {}, {}
  local index = 0
  local function look(number)
    index = index + 1
    if is_missing[number] then return end
    left_ids[#left_ids + 1], left_groups[#left_groups + 1] = ids[index], groups[index]
  end
  if numbers == '' then
    for number = 1, #ids do look(tostring(number)) end
  else
    string.gsub(numbers, '%d+', look)
  end
  return left_ids, left_groups
end

local function loosen()
  local is_missing = is_missing_of(missing)
  local count = tonumber(ARGV[ties_at] or 0)
  local ids_at = ties_at + 2
  local others_at = ids_at + 2 * count
  if count > 0 then
    local ids, groups = { unpack(ARGV, ids_at, ids_at + count - 1) }, { unpack(ARGV, ids_at + count, others_at - 1) }
    if #missing > 0 then ids, groups = without(is_missing, ARGV[ties_at + 1], ids, groups) end
    leave_groups(groups, ids)
  end
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
