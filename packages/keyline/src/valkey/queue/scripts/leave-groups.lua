-- Part of the scripts that end jobs: lets the next ones of several groups in, with as few commands as may be. Mostly one job of a group may run at a time, and the next
-- one simply goes to `waiting`. Everything else goes one by one.
--
-- Most of what this costs is text that is made and tables that grow: there is no more of it than it takes.

local find, match, sub, byte = string.find, string.match, string.sub, string.byte

-- What simply goes to `waiting`: it is not due later, it has not failed before, and it has no priority. Nearly all begin like the first: an id of Keyline's own has twenty characters,
-- the time of adding thirteen, and then comes the group.
local function id_of_simple(element)
  if byte(element, 28) == 34 and byte(element, 50) == 103 and byte(element, 3) == 105 then return sub(element, 8, 27) end
  local id, after = match(element, '^{"id":"([^"]+)","at":%d+()')
  return id and not find(sub(element, after, after + 80), ',"priority":', 1, true) and id
end

-- A job that was handed in twice at once let one in twice.
local function take_back_twins(count, elements, fields)
  local is_met = {}
  for number = 1, count do
    local field = fields[number]
    if is_met[field] then redis.call('LREM', base .. 'waiting', 1, elements[number]) end
    is_met[field] = true
  end
end

-- What goes to `waiting`: each element with its field in `lines`, and the texts of their groups, one behind the other.
local function move_in(count, elements, fields, texts)
  if count == 0 then return end
  -- In this order: what is refused changes nothing.
  redis.call('LPUSH', base .. 'waiting', unpack(elements, 1, count))
  redis.call('HSET', base .. 'grouped', unpack(texts, 1, 2 * count))
  local removed = redis.call('HDEL', base .. 'lines', unpack(fields, 1, count))
  redis.call('DECRBY', base .. 'blocked', removed)
  if removed < count then take_back_twins(count, elements, fields) end
end

local function leave_groups(groups, ids)
  local size = #groups
  if size == 0 then return end
  read_rules()
  if size == 1 or most > 1 or has_paused then
    for index = 1, size do leave_group(groups[index], ids[index]) end
    return
  end
  local found = redis.call('HMGET', base .. 'grouped', unpack(groups))
  local fields, firsts, lasts, at = { unpack(groups) }, { unpack(groups) }, { unpack(groups) }, { unpack(groups) }
  local ended, others = {}, {}
  local count = 0
  for index = 1, size do
    local group, text, id = groups[index], found[index], ids[index]
    -- Where its one admitted job is this one: its id, a space, and when, in thirteen digits.
    local place = text and find(text, id, 1, true)
    if place and #text ~= place + #id + 13 then place = nil end
    local first, last, behind
    if place and place > 1 then first, last, behind = match(text, '^(%d+) (%d+)|()') end
    if first and behind == place then
      count = count + 1
      fields[count], firsts[count], lasts[count], at[count] = first .. ' ' .. group, first, last, index
    elseif place == 1 and not has_places(group) then
      ended[#ended + 1] = group
    else
      others[#others + 1] = index
    end
  end
  if count > 0 then
    local since = ' ' .. now()
    -- The same number over and over, as groups take turns.
    local next_of = {}
    local elements = redis.call('HMGET', base .. 'lines', unpack(fields, 1, count))
    local texts = { unpack(ids) }
    local simple = 0
    for number = 1, count do
      local element = elements[number]
      local id = element and id_of_simple(element)
      if id then
        simple = simple + 1
        if simple < number then elements[simple], fields[simple] = element, fields[number] end
        local first, last = firsts[number], lasts[number]
        texts[2 * simple - 1] = groups[at[number]]
        if first == last then
          texts[2 * simple] = id .. since
        else
          local following = next_of[first]
          if not following then
            following = string.format('%d ', first + 1)
            next_of[first] = following
          end
          texts[2 * simple] = following .. last .. '|' .. id .. since
        end
      else
        others[#others + 1] = at[number]
      end
    end
    move_in(simple, elements, fields, texts)
  end
  if #ended > 0 then redis.call('HDEL', base .. 'grouped', unpack(ended)) end
  for _, index in ipairs(others) do leave_group(groups[index], ids[index]) end
end
