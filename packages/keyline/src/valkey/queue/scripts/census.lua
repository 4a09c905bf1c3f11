-- Reads the ids in a page of a list or sorted set, without the elements themselves.
--
-- KEYS  1 a list (waiting, held) or sorted set (scheduled, a group's line)
-- ARGV  1 first place  2 last place  3 'kept': each id comes behind '1' where its element says that its result is kept, else behind '0'
-- RETURN  { how many elements the page has, id of each that Keyline wrote, ... }

local kind = redis.call('TYPE', KEYS[1]).ok
if kind == 'none' then return { 0 } end
local page = redis.call(kind == 'zset' and 'ZRANGE' or 'LRANGE', KEYS[1], ARGV[1], ARGV[2])
local ids = { #page }
for _, found in ipairs(page) do
  -- In a group's line its due time is in front.
  local element = string.match(found, '^%d+|(.*)$') or found
  local id = string.match(element, '^{"id":"([^"\\]+)"') or string.match(element, '^{"attempts":%d+,"id":"([^"\\]+)"')
  if id and ARGV[3] == 'kept' then
    local data_at = string.find(element, ',"data":', 1, true) or #element
    id = (string.find(string.sub(element, 1, data_at), ',"keep":[1-9]') and '1' or '0') .. id
  end
  if id then ids[#ids + 1] = id end
end
return ids
