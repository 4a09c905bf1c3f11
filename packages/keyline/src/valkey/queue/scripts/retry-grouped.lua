-- Part before retry.lua: where one job of a group runs at a time, the others wait until this one has ended; where more may, it makes room.

read_rules()
if most > 1 then
  leave_group(ARGV[7], ARGV[6])
  placed()
end
