-- Publishes messages of a channel without history that come from the outbox, or that patterns of a cluster are to see too.
--
-- KEYS  1 place of the outbox
-- ARGV  1 live channel  2 SPUBLISH or PUBLISH  3 '1' to PUBLISH for patterns too
--       then for each message: its number in the outbox or '', its text
-- RETURNS for each message: receivers; false for one that was published before

local place = false
local replies = {}
for first = 4, #ARGV, 2 do
  local number, message = ARGV[first], ARGV[first + 1]
  if is_due(KEYS[1], number) then
    local receivers = redis.call(ARGV[2], ARGV[1], message)
    if ARGV[3] == '1' then receivers = receivers + redis.call('PUBLISH', ARGV[1], message) end
    replies[#replies + 1] = receivers
    if number ~= '' then place = number end
  else
    replies[#replies + 1] = false
  end
end
if place then keep_place(KEYS[1], place) end
return replies
