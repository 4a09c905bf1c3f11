-- Part behind retry.lua: where one job of a group runs at a time, the others wait until this one has ended; where more may, it makes room.

read_rules()
if most > 1 then
  local id, group = string.match(ARGV[6], '^(%S+) (.*)$')
  if group then leave_group(group, id) end
  placed()
end
