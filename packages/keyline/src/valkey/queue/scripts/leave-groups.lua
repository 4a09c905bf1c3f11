-- Part of the scripts that end jobs: lets the next ones of several groups in, with as few commands as may be. Mostly one job of a group may run at a time, and the next
-- one simply goes to `waiting`. Everything else goes one by one.
--
-- Most of what this costs is text that is made: there is no more of it than it takes.

local find, match, sub, byte = string.find, string.match, string.sub, string.byte

-- What simply goes to `waiting`: it is not due later, it has not failed before, and it has no priority. Nearly all begin like the first: an id of Keyline's own has twenty characters, and
-- the time of adding thirteen.
local function id_of_simple(element)
  if byte(element, 28) == 34 and sub(element, 48, 57) == ',"group":"' and sub(element, 28, 34) == '","at":' and sub(element, 1, 7) == '{"id":"' then
    return sub(element, 8, 27)
  end
  local id, after = match(element, '^{"id":"([^"]+)","at":%d+()')
  return id and not find(sub(element, after, after + 80), ',"priority":', 1, true) and id
end

-- Where the group's text has the id of the one job that is admitted, and when in milliseconds behind it: 1 where there is no line. Nothing where that is not so.
local function place_of(text, id)
  local at = find(text, id, 1, true)
  if not at or #text ~= at + #id + 13 or byte(text, at + #id) ~= 32 then return nil end
  return (at == 1 or byte(text, at - 1) == 124) and at
end

-- What goes to `waiting`: each element with its field in `lines`, and the texts of their groups, one behind the other.
local function move_in(elements, fields, texts)
  if #elements == 0 then return end
  -- In this order: what is refused changes nothing.
  redis.call('LPUSH', base .. 'waiting', unpack(elements))
  redis.call('HSET', base .. 'grouped', unpack(texts))
  redis.call('HDEL', base .. 'lines', unpack(fields))
  redis.call('DECRBY', base .. 'blocked', #elements)
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
  local fields, firsts, lasts, at, ended, others, is_met = {}, {}, {}, {}, {}, {}, {}
  local count = 0
  for index = 1, size do
    local group, text = groups[index], found[index]
    local place = text and not is_met[group] and place_of(text, ids[index])
    local first, last
    if place and place > 1 then first, last = match(text, '^(%d+) (%d+)|') end
    if first then
      count = count + 1
      fields[count], firsts[count], lasts[count], at[count] = first .. ' ' .. group, first, last, index
    elseif place == 1 and not has_places(group) then
      ended[#ended + 1] = group
    else
      others[#others + 1] = index
    end
    is_met[group] = true
  end
  if count > 0 then
    local since = ' ' .. now()
    -- The same number over and over, as groups take turns.
    local next_of = {}
    local elements = redis.call('HMGET', base .. 'lines', unpack(fields))
    local texts = {}
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
    for number = simple + 1, count do elements[number], fields[number] = nil, nil end
    move_in(elements, fields, texts)
  end
  if #ended > 0 then redis.call('HDEL', base .. 'grouped', unpack(ended)) end
  for _, index in ipairs(others) do leave_group(groups[index], ids[index]) end
end
