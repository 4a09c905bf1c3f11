-- Reads a page of the entries of one key. Their ids are in the order of the stream: where the range begins and ends is found by halving.
--
-- KEYS  events, the key's history
-- ARGV  the lower end, itself left out; the upper end, included; most entries; 1 for backwards
-- Returns the entries
local length = redis.call('LLEN', KEYS[2])

local function count_up_to(bound)
  local low, high = 0, length
  while low < high do
    local middle = math.floor((low + high) / 2)
    if is_before(bound, redis.call('LINDEX', KEYS[2], middle)) then high = middle else low = middle + 1 end
  end
  return low
end

local most, backwards = tonumber(ARGV[3]), ARGV[4] == '1'
local first, last = count_up_to(ARGV[1]), count_up_to(ARGV[2]) - 1
local entries = {}
while #entries < most and first <= last do
  local missing = most - #entries
  local from, to = first, math.min(last, first + missing - 1)
  if backwards then from, to = math.max(first, last - missing + 1), last end
  local ids = redis.call('LRANGE', KEYS[2], from, to)
  for i = 1, #ids do
    local id = ids[backwards and #ids + 1 - i or i]
    -- Some may be gone: `stream-history.lua` tidies up.
    local found = redis.call('XRANGE', KEYS[1], id, id)
    if found[1] then entries[#entries + 1] = found[1] end
  end
  if backwards then last = from - 1 else first = to + 1 end
end
return entries
