-- Part of the scripts that end jobs: lets the next ones of several groups in, with as few commands as may be. Mostly one job of a group may run at a time, and the next
-- one simply goes to `waiting`. Everything else goes one by one.

local function leave_groups(groups, ids)
  if #groups == 0 then return end
  read_rules()
  if #groups == 1 or most > 1 or has_paused then
    for index, group in ipairs(groups) do leave_group(group, ids[index]) end
    return
  end
  local admitted = redis.call('HMGET', base .. 'groups', unpack(groups))
  local pushed, texts, ended, others, popped = {}, {}, {}, {}, {}
  local line, since = base .. 'line:', ' ' .. now()
  for index, group in ipairs(groups) do
    local only = admitted[index] and string.match(admitted[index], '^(%S+) %d+$')
    local first = only == ids[index] and redis.call('ZPOPMIN', line .. group)
    if not first then
      others[#others + 1] = index
    elseif not first[1] then
      ended[#ended + 1] = group
    else
      -- What simply goes to `waiting`: it is not due later, it has not failed before, and it has no priority.
      local id, after = string.match(first[1], '^0|{"id":"([^"]+)","at":%d+()')
      if id and not string.find(string.sub(first[1], after, after + 80), ',"priority":', 1, true) then
        pushed[#pushed + 1] = string.sub(first[1], 3)
        texts[#texts + 1] = group
        texts[#texts + 1] = id .. since
        popped[#popped + 1] = first
      else
        redis.call('ZADD', line .. group, first[2], first[1])
        others[#others + 1] = index
      end
    end
  end
  if #ended > 0 then redis.call('HDEL', base .. 'groups', unpack(ended)) end
  if #pushed > 0 then
    local reply = redis.pcall('LPUSH', base .. 'waiting', unpack(pushed))
    if type(reply) == 'table' then
      for number, first in ipairs(popped) do redis.call('ZADD', line .. texts[2 * number - 1], first[2], first[1]) end
      error(reply)
    end
    redis.call('HSET', base .. 'groups', unpack(texts))
    redis.call('DECRBY', base .. 'blocked', #pushed)
  end
  for _, index in ipairs(others) do leave_group(groups[index], ids[index]) end
end
