-- Part of the scripts that end jobs: lets the next ones of several groups in, with as few commands as may be. Mostly one job of a group may run at a time, and the next
-- one simply goes to `waiting`. Everything else goes one by one.
--
-- Most of what this costs is text that is made and tables that grow: there is no more of it than it takes.

local find, match, sub, byte = string.find, string.match, string.sub, string.byte

-- What simply goes to `waiting`: it is not due later, it has not failed before, it has no priority, and it is of that group. Nearly all begin like the first: an id of Keyline's own has
-- twenty characters, the time of adding thirteen, and then comes the group.
local function id_of_simple(element, group)
  if byte(element, 28) == 34 and byte(element, 50) == 103 and byte(element, 3) == 105 then
    return find(element, group, 58, true) == 58 and byte(element, 58 + #group) == 34 and sub(element, 8, 27)
  end
  local id, after = match(element, '^{"id":"([^"]+)","at":%d+()')
  if not id or find(sub(element, after, after + 80), ',"priority":', 1, true) then return nil end
  return find(head_of(element), ',"group":"' .. group .. '"', 1, true) and id
end

-- A job that was handed in twice at once let one in twice.
local function take_back_twins(count, elements, hooks)
  local is_met = {}
  for number = 1, count do
    local hook = hooks[number]
    if is_met[hook] then redis.call('LREM', base .. 'waiting', 1, elements[number]) end
    is_met[hook] = true
  end
end

-- What goes to `waiting`: each element with what it hung on, and the texts of their groups, one behind the other.
local function move_in(count, elements, hooks, texts)
  if count == 0 then return end
  -- In this order: what is refused changes nothing, and what cannot be read is refused first.
  redis.call('HLEN', base .. 'grouped')
  redis.call('GET', base .. 'blocked')
  redis.call('LPUSH', base .. 'waiting', unpack(elements, 1, count))
  redis.call('HSET', base .. 'grouped', unpack(texts, 1, 2 * count))
  local removed = redis.call('HDEL', base .. 'lines', unpack(hooks, 1, count))
  redis.call('DECRBY', base .. 'blocked', removed)
  if removed < count then take_back_twins(count, elements, hooks) end
end

-- Groups whose next one does not simply go there. Of most of them nobody else is there, so that nothing hangs there.
local function leave_one_by_one(groups, ids, hanging_there)
  local size = #groups
  if size == 0 then return end
  local found = redis.call('HMGET', base .. 'grouped', unpack(groups))
  local ended, tails = {}, {}
  for index = 1, size do
    local group, text, id = groups[index], found[index], ids[index]
    -- Its one admitted job is this one: its id, and when, in thirteen digits.
    if text and #text == #id + 14 and sub(text, 1, #id) == id and not hanging_there[index] and not has_places(group) then
      ended[#ended + 1], tails[#tails + 1] = group, '\29' .. group
    else
      leave_group(group, id)
    end
  end
  if #ended == 0 then return end
  -- In this order: what stays of a group is there to be gone on with.
  redis.call('HDEL', base .. 'lines', unpack(tails))
  redis.call('HDEL', base .. 'grouped', unpack(ended))
end

local function leave_groups(groups, ids)
  local size = #groups
  if size == 0 then return end
  read_rules()
  if size == 1 or most > 1 or has_paused or is_lowered or has_fronts() then
    for index = 1, size do leave_group(groups[index], ids[index]) end
    return
  end
  local elements = redis.call('HMGET', base .. 'lines', unpack(ids))
  local since = '\30' .. now()
  local hooks, texts = { unpack(ids) }, { unpack(ids) }
  local count, others = 0, 0
  local other_groups, other_ids, other_texts = {}, {}, {}
  for index = 1, size do
    local element, group = elements[index], groups[index]
    local id = element and id_of_simple(element, group)
    if id then
      count = count + 1
      if count < index then elements[count], hooks[count] = element, ids[index] end
      texts[2 * count - 1], texts[2 * count] = group, id .. since
    else
      others = others + 1
      other_groups[others], other_ids[others], other_texts[others] = group, ids[index], element
    end
  end
  move_in(count, elements, hooks, texts)
  leave_one_by_one(other_groups, other_ids, other_texts)
end
