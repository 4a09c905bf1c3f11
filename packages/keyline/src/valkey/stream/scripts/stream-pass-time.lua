-- Lets time pass for what users of a stream wait for: entries that wait for their next attempt, and idempotency keys. Leases, and so what runs, go on
-- by the server's clock. For rehearsals.
--
-- KEYS  1 groups  2 wake
-- ARGV  1 milliseconds  2 prefix of the idempotency keys  3 prefix of the groups
-- RETURN  nothing

local ms = tonumber(ARGV[1])
for _, group in ipairs(redis.call('HKEYS', KEYS[1])) do
  local again = ARGV[3] .. group .. ':again'
  local due = redis.call('ZRANGE', again, 0, -1, 'WITHSCORES')
  for index = 1, #due, 2 do
    local _, by = again_parts(redis.call('HGET', again .. ':entries', due[index]) or '')
    if by == '' and due[index + 1] ~= 'inf' then redis.call('ZINCRBY', again, -ms, due[index]) end
  end
end
local cursor = '0'
repeat
  local found = redis.call('SCAN', cursor, 'MATCH', ARGV[2] .. '*', 'COUNT', 1000)
  cursor = found[1]
  for _, key in ipairs(found[2]) do
    local left = redis.call('PTTL', key)
    if left >= 0 and left <= ms then
      redis.call('DEL', key)
    elseif left >= 0 then
      redis.call('PEXPIRE', key, left - ms)
    end
  end
until cursor == '0'
wake_consumers(KEYS[2])
