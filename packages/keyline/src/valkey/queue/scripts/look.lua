-- Part of scripts that look at jobs page by page. What is looked at is bounded in number and in bytes, so that the server answers others in between.
--
-- A place is 'scheduled', 'waiting', 'waiting:high', 'waiting:low', 'line:GROUP', 'lines', 'lines:GROUP' (what of that hash is the line of the group) or 'held:WORKER'.
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

-- Members from `first` on, up to `last`. Few tables and texts are made of what is only passed by, as the language has to clear them away.
local function read_range(place, first, last)
  if is_set(place) then return redis.call('ZRANGE', base .. place, first, last, 'REV') end
  if string.sub(place, 1, 5) ~= 'held:' then return redis.call('LRANGE', base .. place, first, last) end
  -- A held list is filled at the right and settled at the left.
  local reversed = redis.call('LRANGE', base .. place, -1 - last, -1 - first)
  local found = {}
  for index = #reversed, 1, -1 do found[#found + 1] = reversed[index] end
  return found
end

-- Where a walk through a line stands: the number of the last one that was looked at, and of the last few their numbers and ids, the last one first.
local function parts_of_stand(from)
  local past, seen = string.match(from, '^(%-?%d+)\31(.*)$')
  local stands = {}
  for number, id in string.gmatch(seen or '', '(%-?%d+) ([^\30]+)') do stands[#stands + 1] = { number = tonumber(number), id = id, text = number .. ' ' .. id } end
  return tonumber(past or -math.huge), stands
end

-- A page of the line of one group, behind where the walk stands: behind the last that is still there of those few, as some may have ended or been cancelled, and their ids be those of others. Where
-- there is none, from the beginning of the line, but for what has a number that was passed. Each is looked up by itself, and so there are fewer to a page.
local function read_line(name, from, most_members)
  local size = math.min(most_members, 60)
  local last_number, last = tail_of(name)
  if not last_number then return {}, '', from, {}, {} end
  local past, stands = parts_of_stand(from)
  local hook, number
  for _, stand in ipairs(stands) do
    if stand.id == last and stand.number == last_number then return {}, '', from, {}, {} end
    if hanging_on(stand.id, name) and number_on(stand.id, name, last_number) == stand.number + 1 then
      hook, number = stand.id, stand.number + 1
      break
    end
  end
  if not hook then
    hook = read_group(name).hook
    number = number_on(hook, name, last_number) or 1
  end
  local members, hooks, behind, bytes = {}, {}, {}, 0
  local texts = {}
  for index, stand in ipairs(stands) do texts[index] = stand.text end
  for _ = 1, size + 200 do
    if #members == size or bytes > most_bytes then break end
    local text = hanging_on(hook, name)
    if not text then return members, '', from, hooks, behind end
    if is_mark(text) then
      local count, _, marked = parts_of_mark(text)
      number, hook = number + count, marked
    else
      local id = id_of_job(text)
      table.insert(texts, 1, string.format('%.0f ', number) .. id)
      texts[5] = nil
      if number > past then
        past = number
        bytes = bytes + #text
        members[#members + 1], hooks[#hooks + 1] = text, hook
        behind[#behind + 1] = string.format('%.0f\31', past) .. table.concat(texts, '\30')
      end
      number, hook = number + 1, id
    end
  end
  -- It may have come to a mark.
  table.insert(texts, 1, string.format('%.0f ', number - 1) .. hook)
  texts[5] = nil
  return members, string.format('%.0f\31', past) .. table.concat(texts, '\30'), from, hooks, behind
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
  local name = group_of_lines(place)
  if name then return read_line(name, from, size) end
  from = math.max(0, (from == '' and 0 or tonumber(from)) - math.max(0, shifts() - seen))
  local few = from + first_size - 1
  local members = read_range(place, from, few)
  local asked = few - from + 1
  if #members == asked then
    local bytes = 0
    for _, member in ipairs(members) do bytes = bytes + #member end
    local more = math.min(size - first_size, math.floor(most_bytes / (bytes / first_size + 1)))
    if more > 0 then
      for _, member in ipairs(read_range(place, few + 1, few + more)) do members[#members + 1] = member end
      asked = asked + more
    end
  end
  if #members < asked then return members, '', from end
  local again = string.sub(place, 1, 7) == 'waiting' and 0 or math.min(16, math.floor(#members / 4))
  return members, from + #members - again, from
end

-- What the member at that index of a page is taken out by.
local function key_at(place, index, member, from, keys)
  if keys then return keys[index] end
  return is_set(place) and member or from + index - 1
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
