-- Reads the ids in a page of jobs, without the elements themselves.
--
-- KEYS  1 a list (waiting, held), sorted set (scheduled, a group's line) or hash (lines)
-- ARGV  1 first place, or of a hash the cursor  2 how many  3 'state' to read how often each was tried and parked too, and whether its row is to be asked
-- RETURN  { what the next page begins with, or '' at the end, id of each that Keyline wrote, ... }; with its state an id of which one number is not zero
--         is followed by all of them, behind a quote each, which no id has: id"attempts"parks"latest, the last of which is 1 or 0

local kind = redis.call('TYPE', KEYS[1]).ok
local next_page, ids = '', { '' }
local function read(found)
  -- In a group's line its due time may be in front.
  local element = string.match(found, '^%d+|(.*)$') or found
  local attempts = '0'
  local id, behind = string.match(element, '^{"id":"([^"\\]+)"()')
  if not id then attempts, id, behind = string.match(element, '^{"attempts":(%d+),"id":"([^"\\]+)"()') end
  if not id then return end
  if ARGV[3] == 'state' then
    local parks = string.match(element, '^,"at":%d+,"parks":(%d+)', behind) or '0'
    -- What stands in front of the data is Keyline's own, and nothing in it has a quote that is not.
    local data = string.find(element, ',"data":', behind, true) or behind
    local latest = string.find(string.sub(element, behind, data), ',"latest":true', 1, true) and '1' or '0'
    if attempts ~= '0' or parks ~= '0' or latest ~= '0' then id = id .. '"' .. attempts .. '"' .. parks .. '"' .. latest end
  end
  ids[#ids + 1] = id
end

if kind == 'hash' then
  local page = redis.call('HSCAN', KEYS[1], ARGV[1], 'COUNT', ARGV[2])
  for index = 2, #page[2], 2 do read(page[2][index]) end
  if page[1] ~= '0' then next_page = page[1] end
elseif kind ~= 'none' then
  local last = ARGV[1] + ARGV[2]
  local page = redis.call(kind == 'zset' and 'ZRANGE' or 'LRANGE', KEYS[1], ARGV[1], last - 1)
  for _, found in ipairs(page) do read(found) end
  if #page == tonumber(ARGV[2]) then next_page = string.format('%.0f', last) end
end
ids[1] = next_page
return ids
