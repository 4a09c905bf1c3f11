-- Part of the scripts that end jobs: lets the next ones of several groups in, with as few commands as may be. Mostly one job of a group may run at a time, and the next
-- one simply goes to `waiting`. Everything else goes one by one.
--
-- Most of what this costs is text that is made, and tables: there is no more of either than it takes.

-- What simply goes to `waiting`: it is not due later, it has not failed before, and it has no priority. Nearly all begin like the first.
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
  local found = redis.call('HMGET', base .. 'grouped', unpack(groups))
  local fields, firsts, lasts, at, ended, others, is_met = {}, {}, {}, {}, {}, {}, {}
  local count = 0
  for index, group in ipairs(groups) do
    local id, text = ids[index], found[index] or ''
    local first, last, admitted = string.match(text, '^(%d+) (%d+)|(%S+) %d+$')
    if (admitted or string.match(text, '^(%S+) %d+$')) ~= id or is_met[group] then
      others[#others + 1] = index
    elseif first then
      count = count + 1
      fields[count], firsts[count], lasts[count], at[count] = first .. ' ' .. group, first, last, index
    elseif has_places(group) then
      others[#others + 1] = index
    else
      ended[#ended + 1] = group
    end
    is_met[group] = true
  end
  local pushed, removed, texts = {}, {}, {}
  local simple = 0
  if count > 0 then
    local since = ' ' .. now()
    for number, element in ipairs(redis.call('HMGET', base .. 'lines', unpack(fields))) do
      local id = element and id_of_simple(element)
      if id then
        local first, last = firsts[number], lasts[number]
        simple = simple + 1
        pushed[simple], removed[simple] = element, fields[number]
        texts[2 * simple - 1] = groups[at[number]]
        texts[2 * simple] = first == last and id .. since or string.format('%d %s|%s%s', first + 1, last, id, since)
      else
        others[#others + 1] = at[number]
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
