-- Hands out dead letters again, with all their attempts before them, or removes them: until they are too large for one step, the first in any case.
--
-- KEYS  1 again  2 texts of again  3 dead  4 wake
-- ARGV  1 'redrive' or 'discard'  2 prefix of the lines  3 bytes  4 page  5 the place behind which the oldest are meant, '' for those with the ids
--       6 the last place that is meant  7 and on: ids
-- RETURNS  { how many were looked at, how many were acted on, the place of the last }

local dead = KEYS[3]
local ids, places = {}, {}
if ARGV[5] == '' then
  for i = 7, #ARGV do ids[#ids + 1] = ARGV[i] end
else
  local found = redis.call('ZRANGE', dead .. ':order', '(' .. ARGV[5], ARGV[6], 'BYSCORE', 'LIMIT', 0, ARGV[4], 'WITHSCORES')
  for i = 1, #found, 2 do
    ids[#ids + 1] = found[i]
    places[#ids] = found[i + 1]
  end
end

local now, bytes, looked, done = now_ms(), 0, 0, 0
for index, id in ipairs(ids) do
  bytes = bytes + redis.call('HSTRLEN', dead .. ':letters', id)
  if bytes > tonumber(ARGV[3]) and index > 1 then break end
  looked = index
  local text = redis.call('HGET', dead .. ':letters', id)
  if text and ARGV[1] == 'discard' then
    done = done + remove_letter(dead, id)
  elseif text then
    local is_letter, letter = pcall(cjson.decode, text)
    if is_letter and type(letter) == 'table' then
      local is_first = ARGV[2] == '' or not letter.key or redis.call('RPUSH', ARGV[2] .. letter.key, id) == 1
      put_again({ again = KEYS[1], entries = KEYS[2] }, id, again_text(0, '', letter.key, letter.data, letter.trace), is_first and now or 'inf')
      -- Last: one that is refused stays a dead letter.
      done = done + remove_letter(dead, id)
    end
  end
end
if done > 0 and ARGV[1] == 'redrive' then wake_consumers(KEYS[4]) end
return { looked, done, places[looked] or '' }
