-- Part of scripts that look at jobs page by page. What is looked at is bounded in number and in bytes, so that the server answers others in between.
--
-- A place is 'scheduled', 'waiting', 'waiting:high', 'waiting:low', 'line:GROUP' or 'held:WORKER'. It is looked at from where jobs come to where they go: then
-- whatever comes or goes meanwhile shifts nothing that is still to be looked at out of sight. What is taken out in the middle does; it is counted
-- (`cancels` of the hash gates), and the next page begins so much earlier.

local first_size, most_bytes = 4, 65536

local function is_set(place) return place == 'scheduled' or string.sub(place, 1, 5) == 'line:' end

local function read_range(place, first, last)
  if is_set(place) then return redis.call('ZRANGE', base .. place, first, last, 'REV') end
  -- A held list is filled at the right and settled at the left.
  if string.sub(place, 1, 5) ~= 'held:' then return redis.call('LRANGE', base .. place, first, last) end
  local found = redis.call('LRANGE', base .. place, -1 - last, -1 - first)
  local page = {}
  for index = #found, 1, -1 do page[#page + 1] = found[index] end
  return page
end

-- The members from `from` on, and whether there are no more.
local function read_page(place, from, size)
  local page = read_range(place, from, from + first_size - 1)
  if #page < first_size then return page, true end
  local bytes = 0
  for _, member in ipairs(page) do bytes = bytes + #member end
  local more = math.min(size - first_size, math.floor(most_bytes / (bytes / first_size + 1)))
  if more < 1 then return page, false end
  local rest = read_range(place, from + first_size, from + first_size + more - 1)
  for _, member in ipairs(rest) do page[#page + 1] = member end
  return page, #rest < more
end

-- Of a member its element, and when it is due where it says so.
local function element_in(place, member)
  if string.sub(place, 1, 5) ~= 'line:' then return member end
  local due, element = string.match(member, '^(%d+)|(.*)$')
  return element or member, due
end

local function id_of(element)
  return string.match(element, '^{"id":"([^"\\]+)"') or string.match(element, '^{"attempts":%d+,"id":"([^"\\]+)"')
end

local function shifts()
  return tonumber(redis.call('HGET', base .. 'gates', 'cancels') or 0)
end

-- Where to begin: earlier by what was taken out since the page before.
local function first_of(from, seen)
  return math.max(0, from - math.max(0, shifts() - seen))
end

-- Where to go on. A few are looked at twice where some may have got another time, or have ended, without being counted.
local function next_of(place, from, size)
  if string.sub(place, 1, 7) == 'waiting' then return from + size end
  return from + size - math.min(16, math.floor(size / 4))
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
