-- The group that the job was admitted of: the next one's turn.

function ties.group(id_and_group)
  local id, group = string.match(id_and_group, '^(%S+) (.*)$')
  if group then leave_group(group, id) end
end
