-- Reads schedules whose next tick is due: no more at a time than fit into a mebibyte.
--
-- KEYS  1 schedules  2 ticks
-- ARGV  1 how many at the most
-- RETURN  { the server's time in milliseconds, milliseconds until another one is due or -1, name, text, ... }

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local answer = { now, -1 }
local length = 0
local found = redis.call('ZRANGE', KEYS[2], 0, ARGV[1] - 1, 'WITHSCORES')
for index = 1, #found, 2 do
  if tonumber(found[index + 1]) > now or length > 1048576 then
    answer[2] = math.max(0, found[index + 1] - now)
    break
  end
  local text = redis.call('HGET', KEYS[1], found[index])
  if text then
    answer[#answer + 1] = found[index]
    answer[#answer + 1] = text
    length = length + #text
  else
    redis.call('ZREM', KEYS[2], found[index])
  end
end
return answer
