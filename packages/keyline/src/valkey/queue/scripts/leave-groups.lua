-- Part of the scripts that end jobs: lets the next ones of several groups in, with as few commands as may be. Mostly one job of a group may run at a time, and the next
-- one simply goes to `waiting`. Everything else goes one by one.
--
-- Most of what this costs is text that is made, and tables: there is no more of either than it takes.

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

-- The numbers of the first and the last in the group's line where `id` alone is admitted; nothing where that is not so, and '' where it is and there is no line.
local function line_behind(text, id)
  local bar = find(text, '|', 1, true) or 0
  local space = bar + #id + 1
  -- Behind it is when it was admitted, in milliseconds.
  if #text ~= space + 13 or byte(text, space) ~= 32 or sub(text, bar + 1, space - 1) ~= id then return nil end
  if bar == 0 then return '' end
  return match(text, '^(%d+) (%d+)|')
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
    local group = groups[index]
    local first, last = line_behind(found[index] or '', ids[index])
    if not first or is_met[group] then
      others[#others + 1] = index
    elseif last then
      count = count + 1
      fields[count], firsts[count], lasts[count], at[count] = first .. ' ' .. group, first, last, group
    elseif has_places(group) then
      others[#others + 1] = index
    else
      ended[#ended + 1] = group
    end
    is_met[group] = is_met[group] or index
  end
  local pushed, removed, texts = {}, {}, {}
  local simple = 0
  if count > 0 then
    local since = ' ' .. now()
    -- The same number over and over, as groups take turns.
    local next_of = {}
    local elements = redis.call('HMGET', base .. 'lines', unpack(fields))
    for number = 1, count do
      local element = elements[number]
      local id = element and id_of_simple(element)
      if id then
        local first, last = firsts[number], lasts[number]
        simple = simple + 1
        pushed[simple], removed[simple] = element, fields[number]
        texts[2 * simple - 1] = at[number]
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
        others[#others + 1] = is_met[at[number]]
      end
    end
  end
  if simple > 0 then
    -- In this order: what is refused changes nothing.
    redis.call('LPUSH', base .. 'waiting', unpack(pushed))
    redis.call('HSET', base .. 'grouped', unpack(texts))
    redis.call('HDEL', base .. 'lines', unpack(removed))
    redis.call('DECRBY', base .. 'blocked', simple)
  end
  if #ended > 0 then redis.call('HDEL', base .. 'grouped', unpack(ended)) end
  for _, index in ipairs(others) do leave_group(groups[index], ids[index]) end
end
