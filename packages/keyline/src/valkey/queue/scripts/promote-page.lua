-- Makes one job due now, if it is on this page of where jobs wait for their time. Last part.
--
-- KEYS  1 workers
-- ARGV  1 place: 'scheduled', 'lines' or 'line:GROUP' (look.lua)  2 from, '' to begin with  3 how many at the most
--       4 what was taken out when the page before was looked at  then 'id' and its id
-- RETURN  { from where the next page goes on or '', what was taken out by now, how many bytes each had on the average, 1 when it was there }

local place = ARGV[1]
local members, next_from, from, keys = read_page(place, ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4]))
local fits = filter_from(5)

local function promote(member, element, key)
  local head = head_of(element)
  local group = string.match(head, ',"group":"([^"]*)"')
  if place == 'lines' then
    redis.call('HSET', base .. 'lines', key, element)
  elseif place ~= 'scheduled' then
    redis.call('ZADD', base .. place, redis.call('ZSCORE', base .. place, member), '0|' .. element)
    if member ~= '0|' .. element then redis.call('ZREM', base .. place, member) end
  else
    -- In this order: one that is refused stays where it is.
    local ready, ready_head = ready_since(element, head, now())
    if group and not is_admitted(group, id_in(head)) then place_in_group(group, ready, 0) else push(ready, ready_head) end
    redis.call('ZREM', base .. place, member)
    if redis.call('HEXISTS', base .. 'gates', 'cancels') == 1 then redis.call('HINCRBY', base .. 'gates', 'cancels', 1) end
  end
  placed()
end

-- A parent waits for its children, not for a time.
local function waits_for_time(element)
  return place ~= 'scheduled' or not string.find(head_of(element), ',"family":true', 1, true)
    or tonumber(redis.call('ZSCORE', base .. place, element)) < 500000000000000
end

local bytes, is_there = 0, 0
for index, member in ipairs(members) do
  bytes = bytes + #member
  local element = element_in(member)
  if is_there == 0 and fits(element) and waits_for_time(element) then
    promote(member, element, key_at(place, index, member, from, keys))
    is_there = 1
  end
end
local next_text = type(next_from) == 'number' and string.format('%.0f', next_from) or next_from
return { next_text, shifts(), #members > 0 and math.floor(bytes / #members) or 0, is_there }
