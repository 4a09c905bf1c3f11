-- The jobs of dead letters, one after the other until they are too large for one answer; the first in any case.
--
-- KEYS  1 dead
-- ARGV  1 bytes  2 and on: keys of letters
-- RETURN  for each: its stack and element, or '' where the letter is gone

local answer = {}
local bytes = 0
for index = 2, #ARGV do
  bytes = bytes + redis.call('HSTRLEN', KEYS[1] .. ':job', ARGV[index])
  if index > 2 and bytes > tonumber(ARGV[1]) then break end
  answer[#answer + 1] = redis.call('HGET', KEYS[1] .. ':job', ARGV[index]) or ''
end
return answer
