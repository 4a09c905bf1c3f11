-- Part of scripts that look at jobs page by page. What is looked at is bounded in number and in bytes, so that the server answers others in between.
--
-- A place is 'scheduled', 'waiting', 'waiting:high', 'waiting:low', 'line:GROUP', 'lines', 'lines:GROUP' (what of that hash belongs to the group) or 'held:WORKER'.
-- Lists and sets are looked at from where jobs come to where they go: then whatever comes or goes meanwhile shifts nothing that is still to be looked at
-- out of sight. What is taken out in the middle does; it is counted (`cancels` of the hash gates), and the next page begins so much earlier.

local first_size, most_bytes = 4, 65536

local function group_of_lines(place) return string.match(place, '^lines:(.*)$') end
local function is_set(place) return place == 'scheduled' or string.sub(place, 1, 5) == 'line:' end
local function is_list(place) return not is_set(place) and string.sub(place, 1, 5) ~= 'lines' end

-- Of a member its element, and when it is due where it says so.
local function element_in(member)
  local due, element = string.match(member, '^(%d+)|(.*)$')
  return element or member, due
end

local function id_of(element)
  return string.match(element, '^{"id":"([^"\\]+)"') or string.match(element, '^{"attempts":%d+,"id":"([^"\\]+)"')
end

local function shifts()
  return tonumber(redis.call('HGET', base .. 'gates', 'cancels') or 0)
end

local function field_of(number, group) return string.format('%.0f', number) .. ' ' .. group end

-- Members from `first` on, up to `last`. Few tables and texts are made of what is only passed by, as the language has to clear them away.
local function read_range(place, first, last)
  local group = group_of_lines(place)
  if group then
    local fields = {}
    for number = first, last do fields[#fields + 1] = field_of(number, group) end
    local found = #fields > 0 and redis.call('HMGET', base .. 'lines', unpack(fields)) or {}
    for index = 1, #fields do found[index] = found[index] or '' end
    return found
  end
  if is_set(place) then return redis.call('ZRANGE', base .. place, first, last, 'REV') end
  if string.sub(place, 1, 5) ~= 'held:' then return redis.call('LRANGE', base .. place, first, last) end
  -- A held list is filled at the right and settled at the left.
  local reversed = redis.call('LRANGE', base .. place, -1 - last, -1 - first)
  local found = {}
  for index = #reversed, 1, -1 do found[#found + 1] = reversed[index] end
  return found
end

-- A page from `from` ('' to begin with): its members, where to go on ('' at the end), what was really begun with, and what they are taken out by where only that
-- tells. A few are looked at twice where some may have got another time, or have ended, without being counted.
local function read_page(place, from, size, seen)
  if place == 'lines' then
    -- The hash of lines is read in no order; `size` is about how many.
    local reply = redis.call('HSCAN', base .. 'lines', from == '' and '0' or from, 'COUNT', size)
    local members, keys = {}, {}
    for index = 1, #reply[2], 2 do
      keys[#keys + 1] = reply[2][index]
      members[#members + 1] = reply[2][index + 1]
    end
    return members, reply[1] == '0' and '' or reply[1], from, keys
  end
  local last = math.huge
  local name = group_of_lines(place)
  if name then
    local group = read_group(name)
    if not group.first then return {}, '', 0 end
    from = math.max(from == '' and group.first or tonumber(from), group.first)
    last = group.last
  else
    from = math.max(0, (from == '' and 0 or tonumber(from)) - math.max(0, shifts() - seen))
  end
  local few = math.min(from + first_size - 1, last)
  local members = read_range(place, from, few)
  local asked = few - from + 1
  if #members == asked and few < last then
    local bytes = 0
    for _, member in ipairs(members) do bytes = bytes + #member end
    local more = math.min(size - first_size, math.floor(most_bytes / (bytes / first_size + 1)), last - few)
    if more > 0 then
      for _, member in ipairs(read_range(place, few + 1, few + more)) do members[#members + 1] = member end
      asked = asked + more
    end
  end
  if #members < asked or from + #members - 1 >= last then return members, '', from end
  local again = (name or string.sub(place, 1, 7) == 'waiting') and 0 or math.min(16, math.floor(#members / 4))
  return members, from + #members - again, from
end

-- What the member at that index of a page is taken out by.
local function key_at(place, index, member, from, keys)
  if keys then return keys[index] end
  if is_set(place) then return member end
  local group = group_of_lines(place)
  return group and field_of(from + index - 1, group) or from + index - 1
end

-- Names and values from ARGV `from` on: id (any number of times), mark (the tag that it is marked with), group, after, before (when it was added). Returns whether
-- an element fits: its id, or nil.
local function filter_from(from)
  local ids, tag, group, after, before
  for index = from, #ARGV, 2 do
    local name, value = ARGV[index], ARGV[index + 1]
    if name == 'id' then
      ids = ids or {}
      ids[value] = true
    elseif name == 'mark' then
      tag = value
    elseif name == 'group' then
      group = ',"group":"' .. value .. '"'
    elseif name == 'after' then
      after = tonumber(value)
    elseif name == 'before' then
      before = tonumber(value)
    end
  end
  local only = #ARGV == from + 1 and ARGV[from] == 'id' and ARGV[from + 1]
  if only then
    local text = '"id":"' .. string.gsub(only, '%W', '%%%0') .. '"'
    local plain, counted = '^{' .. text, '^{"attempts":%d+,' .. text
    return function(element)
      return (string.find(element, plain) or string.find(element, counted)) and only or nil
    end
  end
  return function(element)
    local id = id_of(element)
    if not id or (ids and not ids[id]) then return nil end
    if tag and select(3, mark_of(id)) ~= tag then return nil end
    if group and not string.find(head_of(element), group, 1, true) then return nil end
    if after or before then
      local at = tonumber(string.match(head_of(element), ',"at":(%d+)') or -1)
      if at < (after or 0) or at >= (before or math.huge) then return nil end
    end
    return id
  end
end
