-- Goes on with a reset, or ends it: from then on consumers attach.
--
-- KEYS  1 state  2 wake
-- ARGV  1 tag of the reset  2 milliseconds for which nobody attaches yet; 0 ends the reset  3 the id behind which the group begins from now on, '' where it stays as it was, '-' where the record says
-- RETURNS  1, or 0 when it is another's by now, or others have ended it

local state = redis.call('HMGET', KEYS[1], 'reset', 'reset_until', 'reset_to')
local now = now_ms()
if state[1] ~= ARGV[1] or tonumber(state[2]) < now then return 0 end
if ARGV[3] == '-' then redis.call('HDEL', KEYS[1], 'reset_to') elseif ARGV[3] ~= '' then redis.call('HSET', KEYS[1], 'reset_to', ARGV[3]) end
if tonumber(ARGV[2]) > 0 then
  redis.call('HSET', KEYS[1], 'reset_until', string.format('%.0f', now + ARGV[2]))
  return 1
end
redis.call('HSET', KEYS[1], 'reset_until', '0')
wake_consumers(KEYS[2])
return 1
