-- A page of dead letters, newest first: until they are too large for one answer, the first in any case.
--
-- KEYS  1 dead
-- ARGV  1 the place before which they died, or '+inf'  2 page  3 bytes
-- RETURNS  { how many were looked at, then for each: its place, its text }

local found = redis.call('ZRANGE', KEYS[1] .. ':order', ARGV[1], '-inf', 'BYSCORE', 'REV', 'LIMIT', 0, ARGV[2], 'WITHSCORES')
local answer, bytes = { 0 }, 0
for i = 1, #found, 2 do
  bytes = bytes + redis.call('HSTRLEN', KEYS[1] .. ':letters', found[i])
  if bytes > tonumber(ARGV[3]) and i > 1 then break end
  answer[1] = answer[1] + 1
  answer[#answer + 1] = found[i + 1]
  answer[#answer + 1] = redis.call('HGET', KEYS[1] .. ':letters', found[i]) or ''
end
return answer
