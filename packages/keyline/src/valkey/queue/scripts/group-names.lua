#!lua flags=no-writes
-- A page of the groups that have jobs. In parts as small as the server has them, each by its place in the server's order: that is the same whatever comes and goes, and whatever
-- room the server makes for it, but for the part that is at a place.
--
-- KEYS  1 groups
-- ARGV  1 place, '0' to begin with  2 how many names
-- RETURN  { place of the next page, '0' at the end, for each part { where it begins, where it ends, names ... } }

local place, most = ARGV[1], tonumber(ARGV[2])
local answer = { '' }
local count = 0
-- Much of a table that was larger once is empty.
for _ = 1, 2 * most do
  local reply = redis.call('HSCAN', KEYS[1], place, 'COUNT', 1)
  local part = { place, reply[1] }
  for index = 1, #reply[2], 2 do part[#part + 1] = reply[2][index] end
  if #part > 2 then answer[#answer + 1] = part end
  count = count + #part - 2
  place = reply[1]
  if place == '0' or count >= most then break end
end
answer[1] = place
return answer
