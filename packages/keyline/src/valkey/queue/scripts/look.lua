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

-- Members from `first` on, up to `last`: each with what it is taken out by.
local function read_range(place, first, last)
  local entries = {}
  local group = group_of_lines(place)
  if group then
    local fields = {}
    for number = first, last do fields[#fields + 1] = string.format('%.0f', number) .. ' ' .. group end
    for index, member in ipairs(#fields > 0 and redis.call('HMGET', base .. 'lines', unpack(fields)) or {}) do
      entries[index] = { key = fields[index], member = member or '' }
    end
    return entries
  end
  local found
  if is_set(place) then
    found = redis.call('ZRANGE', base .. place, first, last, 'REV')
  elseif string.sub(place, 1, 5) ~= 'held:' then
    found = redis.call('LRANGE', base .. place, first, last)
  else
    -- A held list is filled at the right and settled at the left.
    local reversed = redis.call('LRANGE', base .. place, -1 - last, -1 - first)
    found = {}
    for index = #reversed, 1, -1 do found[#found + 1] = reversed[index] end
  end
  for index, member in ipairs(found) do entries[index] = { key = is_set(place) and member or first + index - 1, member = member } end
  return entries
end

-- The hash of lines is read in no order; `size` is about how many.
local function scan_lines(cursor, size)
  local reply = redis.call('HSCAN', base .. 'lines', cursor, 'COUNT', size)
  local entries = {}
  for index = 1, #reply[2], 2 do entries[#entries + 1] = { key = reply[2][index], member = reply[2][index + 1] } end
  return entries, reply[1] == '0' and '' or reply[1]
end

-- A page from `from` ('' to begin with), which is set to what was really begun with; and where to go on, '' at the end. A few are looked at twice where some may
-- have got another time, or have ended, without being counted.
local function read_page(place, from, size, seen)
  if place == 'lines' then
    local entries, next_from = scan_lines(from == '' and '0' or from, size)
    return entries, next_from, from
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
  local entries = read_range(place, from, few)
  local asked = few - from + 1
  if #entries == asked and few < last then
    local bytes = 0
    for _, entry in ipairs(entries) do bytes = bytes + #entry.member end
    local more = math.min(size - first_size, math.floor(most_bytes / (bytes / first_size + 1)), last - few)
    if more > 0 then
      for _, entry in ipairs(read_range(place, few + 1, few + more)) do entries[#entries + 1] = entry end
      asked = asked + more
    end
  end
  if #entries < asked or from + #entries - 1 >= last then return entries, '', from end
  local again = (name or string.sub(place, 1, 7) == 'waiting') and 0 or math.min(16, math.floor(#entries / 4))
  return entries, from + #entries - again, from
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
