-- Takes jobs that are cancelled out of a page of where they wait. Last part.
--
-- KEYS  1 workers
-- ARGV  1 place (look.lua)  2 from  3 how many at the most  4 what was taken out when the page before was looked at  5 kind  6 tag of the call
--       then names and values of what they are: see look.lua
-- RETURN  { from where the next page goes on or -1, what was taken out by now, ids of those cancelled ... }
--
-- Near the ends of a list they are really taken out. Deep inside, where that would take long, another element takes their place, which workers drop:
-- `stubs` counts these.

local place, kind, tag = ARGV[1], ARGV[5], ARGV[6]
local from = first_of(tonumber(ARGV[2]), tonumber(ARGV[4]))
local page, is_end = read_page(place, from, tonumber(ARGV[3]))
local fits = filter_from(7)
local near = 1000
local stub = '{"cancelled":true,"id":"-","data":null}'

local found, heads, answer = {}, {}, {}
for index, member in ipairs(page) do
  local element = element_in(place, member)
  local id = fits(element)
  if id then
    found[#found + 1] = index
    heads[#heads + 1] = head_of(element)
    answer[#answer + 1] = id
  end
end

-- Every step towards a place deep in a list takes its time.
local length = is_set(place) and 0 or redis.call('LLEN', base .. place)
local depth = math.min(from, length - from)
local most = math.max(4, math.floor(200 / (1 + depth / 4000)))
local next_from = next_of(place, from, #page)
if #found > most then
  next_from = next_of(place, from, found[most + 1] - 1)
  is_end = false
  for index = #found, most + 1, -1 do found[index], heads[index], answer[index] = nil, nil, nil end
end

local removed = #found
if removed > 0 then
  if is_set(place) then
    for _, index in ipairs(found) do redis.call('ZREM', base .. place, page[index]) end
    if place ~= 'scheduled' then redis.call('DECRBY', base .. 'blocked', removed) end
  else
    local first, last = from + found[1] - 1, from + found[removed] - 1
    local is_left, is_right = last < near, length - first <= near
    if first == 0 and last == removed - 1 then
      redis.call('LPOP', base .. place, removed)
    else
      local text = (is_left or is_right) and '\0cancelled' or stub
      for _, index in ipairs(found) do redis.call('LSET', base .. place, from + index - 1, text) end
      if is_left or is_right then
        redis.call('LREM', base .. place, is_left and removed or -removed, text)
      else
        redis.call('INCRBY', base .. 'stubs', removed)
        removed = 0
      end
    end
  end
  if removed > 0 and redis.call('HEXISTS', base .. 'gates', 'cancels') == 1 then
    redis.call('HINCRBY', base .. 'gates', 'cancels', removed)
  end
end
local taken_out = shifts()
local line = string.match(place, '^line:(.*)$')
for _, head in ipairs(heads) do end_cancelled(head, place == 'scheduled' and 'scheduled' or 'waiting', kind, tag) end
if line and #heads > 0 then admit_next(line) end
placed()
return { is_end and -1 or math.max(0, next_from - removed), taken_out, unpack(answer) }
