-- Removes lines of a group that was reset, page by page.
--
-- KEYS  1 events  2 what is to be cleared up: ids  3 texts  4 log
-- ARGV  1 prefix of the lines  2 page
-- RETURNS  1 when there is more, else 0

local page = tonumber(ARGV[2])
for _ = 1, page do
  local id = redis.call('LPOP', KEYS[2])
  if not id then break end
  for _, log in ipairs({ KEYS[4], KEYS[1] }) do
    local is_there, key = read_entry(log, id)
    if is_there and key then redis.call('UNLINK', ARGV[1] .. key) end
  end
end
local texts = redis.call('HSCAN', KEYS[3], 0, 'COUNT', page)[2]
for i = 1, #texts, 2 do
  local key = again_key(texts[i + 1])
  if key then redis.call('UNLINK', ARGV[1] .. key) end
  redis.call('HDEL', KEYS[3], texts[i])
end
if redis.call('EXISTS', KEYS[2], KEYS[3]) > 0 then return 1 end
redis.call('UNLINK', KEYS[4])
return 0
