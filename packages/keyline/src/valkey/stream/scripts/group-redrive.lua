-- Hands out the oldest dead letters again, with all their attempts before them.
--
-- KEYS  1 again  2 texts of again  3 dead  4 wake
-- ARGV  1 prefix of the lines  2 letters to look at
-- RETURNS  how many were moved; what is no dead letter stays, behind the others

local now = now_ms()
local moved = 0
for _ = 1, tonumber(ARGV[2]) do
  local text = redis.call('LINDEX', KEYS[3], -1)
  if not text then break end
  local is_letter, letter = pcall(cjson.decode, text)
  if is_letter and type(letter) == 'table' and type(letter.id) == 'string' then
    local is_first = ARGV[1] == '' or not letter.key or redis.call('RPUSH', ARGV[1] .. letter.key, letter.id) == 1
    put_again({ again = KEYS[1], entries = KEYS[2] }, letter.id, again_text(0, '', letter.key, letter.data, letter.trace), is_first and now or 'inf')
    -- Last: one that is refused stays a dead letter.
    redis.call('RPOP', KEYS[3])
    moved = moved + 1
  else
    redis.call('LMOVE', KEYS[3], KEYS[3], 'RIGHT', 'LEFT')
  end
end
if moved > 0 then wake_consumers(KEYS[4]) end
return moved
