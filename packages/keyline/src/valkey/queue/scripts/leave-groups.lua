-- Part of the scripts that end jobs: lets the next ones of several groups in, with as few commands as may be. Mostly one job of a group may run at a time, and the next
-- one simply goes to `waiting`. Everything else goes one by one.

-- What simply goes to `waiting`: it is not due later, it has not failed before, and it has no priority. Nearly all begin like the first; text is costly here.
local function id_of_simple(element)
  local id = string.match(element, '^{"id":"([^"]+)","at":%d+,"group":"')
  if id then return id end
  local other, after = string.match(element, '^{"id":"([^"]+)","at":%d+()')
  return other and not string.find(string.sub(element, after, after + 80), ',"priority":', 1, true) and other
end

local function leave_groups(groups, ids)
  if #groups == 0 then return end
  read_rules()
  if #groups == 1 or most > 1 or has_paused then
    for index, group in ipairs(groups) do leave_group(group, ids[index]) end
    return
  end
  local found = redis.call('HMGET', base .. 'groups', unpack(groups))
  local nexts, fields, ended, others, is_met = {}, {}, {}, {}, {}
  for index, group in ipairs(groups) do
    local id = ids[index]
    local text = found[index] or ''
    local first, last, admitted = string.match(text, '^(%d+) (%d+)|(%S+) %d+$')
    if (admitted or string.match(text, '^(%S+) %d+$')) ~= id or is_met[group] then
      others[#others + 1] = index
    elseif first then
      nexts[#nexts + 1] = { group, first, last, index }
      fields[#fields + 1] = first .. ' ' .. group
    elseif has_places(group) then
      others[#others + 1] = index
    else
      ended[#ended + 1] = group
    end
    is_met[group] = true
  end
  local pushed, removed, texts = {}, {}, {}
  if #fields > 0 then
    local since = ' ' .. now()
    for number, element in ipairs(redis.call('HMGET', base .. 'lines', unpack(fields))) do
      local group, first, last, index = unpack(nexts[number])
      local id = element and id_of_simple(element)
      if id then
        pushed[#pushed + 1] = element
        removed[#removed + 1] = fields[number]
        texts[#texts + 1] = group
        texts[#texts + 1] = (first == last and '' or first + 1 .. ' ' .. last .. '|') .. id .. since
      else
        others[#others + 1] = index
      end
    end
  end
  if #pushed > 0 then
    -- In this order: what is refused changes nothing.
    redis.call('LPUSH', base .. 'waiting', unpack(pushed))
    redis.call('HSET', base .. 'groups', unpack(texts))
    redis.call('HDEL', base .. 'lines', unpack(removed))
    redis.call('DECRBY', base .. 'blocked', #pushed)
  end
  if #ended > 0 then redis.call('HDEL', base .. 'groups', unpack(ended)) end
  for _, index in ipairs(others) do leave_group(groups[index], ids[index]) end
end
