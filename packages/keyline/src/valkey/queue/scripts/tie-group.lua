-- The group that the job was admitted of: the next one's turn. All of them together, in the end.

local left_ids, left_groups = {}, {}

function ties.group(id_and_group)
  local id, group = string.match(id_and_group, '^(%S+) (.*)$')
  if not group then return end
  left_ids[#left_ids + 1] = id
  left_groups[#left_groups + 1] = group
end
