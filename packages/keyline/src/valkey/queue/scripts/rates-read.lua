-- Reads what was counted in some minutes.
--
-- KEYS  1 workers
-- ARGV  1 the last of the minutes, '' for the present one  2 how many
-- RETURN  { the last of them, names and numbers of it, of the one before it, ... }

local last = tonumber(ARGV[1]) or math.floor(now() / 60000)
local answer = { last }
for back = 0, ARGV[2] - 1 do answer[#answer + 1] = redis.call('HGETALL', base .. 'rates:' .. string.format('%.0f', last - back)) end
return answer
