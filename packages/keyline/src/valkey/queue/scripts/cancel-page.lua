-- Takes jobs that are cancelled out of a page of where they wait. Last part.
--
-- KEYS  1 workers
-- ARGV  1 place (look.lua)  2 from, '' to begin with  3 how many at the most  4 what was taken out when the page before was looked at  5 kind  6 tag of the call
--       then names and values of what they are: see look.lua
-- RETURN  { from where the next page goes on or '', what was taken out by now, how many bytes each had on the average, ids of those cancelled ... }
--
-- Near the ends of a list they are really taken out. Deep inside, where that would take long, another element takes their place, which workers drop:
-- `stubs` counts these.

local place, kind, tag = ARGV[1], ARGV[5], ARGV[6]
local members, next_from, from, keys, behind = read_page(place, ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4]))
local fits = filter_from(7)
local near, most_taken = 1000, 15
local stub = '{"cancelled":true,"id":"-","data":null}'

-- Every step towards a place deep in a list takes its time.
local length = is_list(place) and redis.call('LLEN', base .. place) or 0
if is_list(place) then most_taken = math.max(4, math.min(most_taken, math.floor(200 / (1 + math.min(from, length - from) / 4000)))) end

local found, bytes = {}, 0
for index, member in ipairs(members) do
  bytes = bytes + #member
  local element = element_in(member)
  local id = fits(element)
  if id and #found == most_taken then
    -- What was scanned, and is left there, the same cursor comes upon once more.
    if place == 'lines' then
      next_from = from == '' and '0' or from
    else
      next_from = not behind and from + index - 1 or behind[index - 1] or from
    end
    break
  end
  if id then found[#found + 1] = { id = id, key = key_at(place, index, member, from, keys), head = head_of(element), member = member } end
end

local function take_out_of_list()
  local first, last = found[1].key, found[#found].key
  if first == 0 and last == #found - 1 then
    redis.call('LPOP', base .. place, #found)
    return #found
  end
  local is_left, is_right = last < near, length - first <= near
  local text = (is_left or is_right) and '\0cancelled' or stub
  for _, one in ipairs(found) do redis.call('LSET', base .. place, one.key, text) end
  if is_left or is_right then
    redis.call('LREM', base .. place, is_left and #found or -#found, text)
    return #found
  end
  redis.call('INCRBY', base .. 'stubs', #found)
  return 0
end

-- Of lines, the groups of what was taken out.
local names, is_named = {}, {}

local function take_out_of_lines()
  -- In this order: what is refused changes nothing.
  redis.call('DECRBY', base .. 'blocked', #found)
  -- From the last to the first, so that marks become one.
  for index = #found, 1, -1 do
    local one = found[index]
    local name = string.match(place, '^line:(.*)$') or string.match(one.head, ',"group":"([^"]*)"')
    if not is_named[name] then names[#names + 1] = name end
    is_named[name] = true
    if is_set(place) then redis.call('ZREM', base .. place, one.key) else mark_in_line(name, one.key, one.member) end
  end
end

local function take_out()
  if is_list(place) then return take_out_of_list() end
  if place == 'scheduled' then
    for _, one in ipairs(found) do redis.call('ZREM', base .. place, one.key) end
    return #found
  end
  take_out_of_lines()
  return is_set(place) and #found or 0
end

-- The next one's turn, where it is. What was cancelled at the beginning of a line is taken away.
local function follow(name)
  local group = read_group(name)
  if not is_set(place) and not first_in_line(group) then
    end_line(group)
    if group.count == 1 then group.hook = string.match(group.admitted, '^(.*)\30') end
    write_group(group)
  end
  let_in(group, false)
end

local removed = 0
if #found > 0 then
  removed = take_out()
  if removed > 0 and redis.call('HEXISTS', base .. 'gates', 'cancels') == 1 then
    redis.call('HINCRBY', base .. 'gates', 'cancels', removed)
  end
end
local taken_out = shifts()
if next_from ~= '' and removed > 0 then next_from = math.max(0, next_from - removed) end

local answer = { '', taken_out, #members > 0 and math.floor(bytes / #members) or 0 }
for _, one in ipairs(found) do
  end_cancelled(one.head, place == 'scheduled' and 'scheduled' or 'waiting', kind, tag)
  answer[#answer + 1] = one.id
end
for _, name in ipairs(names) do follow(name) end
placed()
answer[1] = type(next_from) == 'number' and string.format('%.0f', next_from) or next_from
return answer
