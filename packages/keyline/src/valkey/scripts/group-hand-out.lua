-- Hands out entries again that the group had given up, unless they are under way already.
--
-- KEYS  1 log  2 again  3 texts of again  4 wake
-- ARGV  1 group  2 prefix of the lines  3 and on: id, key or '' and data of each
-- RETURNS  how many

local now = now_ms()
local moved = 0
for i = 3, #ARGV, 3 do
  local id, key = ARGV[i], ARGV[i + 1] ~= '' and ARGV[i + 1] or nil
  local pending = redis.pcall('XPENDING', KEYS[1], ARGV[1], id, id, 1)
  if redis.call('HEXISTS', KEYS[3], id) == 0 and (pending.err or not pending[1]) then
    local line = ARGV[2] ~= '' and key and ARGV[2] .. key
    local is_first = not line or redis.call('LPOS', line, id) or redis.call('RPUSH', line, id) == 1
    redis.call('HSET', KEYS[3], id, again_text(0, '', key, ARGV[i + 2]))
    redis.call('ZADD', KEYS[2], is_first and now or 'inf', id)
    moved = moved + 1
  end
end
if moved > 0 then wake_consumers(KEYS[4]) end
return moved
