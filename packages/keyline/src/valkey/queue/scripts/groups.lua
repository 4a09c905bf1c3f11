-- Part of scripts that bring grouped jobs to the queue or end them. A group has as many jobs on the queue as may run at a time: they are admitted, from the
-- moment when their turn comes until they have ended, also while they wait for a retry or for their own time. The others stand in the group's line, by the order in which they were added.
-- So a worker takes what it finds, and groups take turns.
--
-- Hash groups: group -> for each admitted job: id, when, separated by spaces
-- Sorted set line:GROUP: by order, each '<due in ms, or 0>|<element>'

local most, has_paused

local function read_rules()
  if most then return end
  local rules = redis.call('HMGET', base .. 'gates', 'group.concurrency', 'paused.groups')
  most = tonumber(rules[1] or 1)
  has_paused = rules[2]
end

local function is_paused(group)
  return has_paused and redis.call('SISMEMBER', base .. 'paused', group) == 1
end

local function id_in(head)
  return string.match(head, '"id":"([^"]+)"') or ''
end

local function admitted_of(group)
  local text = redis.call('HGET', base .. 'groups', group) or ''
  local _, spaces = string.gsub(text, ' ', ' ')
  return text, text == '' and 0 or (spaces + 1) / 2
end

local function is_admitted(group, id)
  return string.find(' ' .. admitted_of(group), ' ' .. id .. ' ', 1, true) ~= nil
end

local function admit(group, element, due, text)
  local head = head_of(element)
  redis.call('HSET', base .. 'groups', group, (text == '' and '' or text .. ' ') .. id_in(head) .. ' ' .. now())
  if due <= now() or not schedule(element, due) then push(element, head) end
end

-- Lets jobs of the line in, as long as more of the group may be.
local function admit_next(group)
  read_rules()
  local text, count = admitted_of(group)
  if is_paused(group) then return end
  while count < most do
    local first = redis.call('ZRANGE', base .. 'line:' .. group, 0, 0)[1]
    if not first then break end
    local due, element = string.match(first, '^(%d+)|(.*)$')
    admit(group, element, tonumber(due), text)
    redis.call('ZREM', base .. 'line:' .. group, first)
    redis.call('DECR', base .. 'blocked')
    text, count = admitted_of(group)
  end
  if count == 0 then redis.call('HDEL', base .. 'groups', group) end
end

-- A job that is not admitted any more: the next one's turn.
local function leave_group(group, id)
  local text = ' ' .. admitted_of(group)
  local from, to = string.find(text, ' ' .. string.gsub(id, '%W', '%%%0') .. ' %d+')
  if not from then return end
  redis.call('HSET', base .. 'groups', group, string.sub(string.sub(text, 1, from - 1) .. string.sub(text, to + 1), 2))
  admit_next(group)
end

local function enter_line(group, element, due, order)
  redis.call('ZADD', base .. 'line:' .. group, order, due .. '|' .. element)
  redis.call('INCR', base .. 'blocked')
end

-- `order` is the job's place among all, where it is known. Where more than one may run at a time there is no order to keep, and whoever waits for its own time is not in the way.
local function place_in_group(group, element, due, order)
  read_rules()
  local text, count = admitted_of(group)
  if most > 1 and due > now() and schedule(element, due) then return end
  if count < most and redis.call('EXISTS', base .. 'line:' .. group) == 0 and not is_paused(group) then
    return admit(group, element, due, text)
  end
  if count == 0 then redis.call('HSET', base .. 'groups', group, '') end
  enter_line(group, element, due, order or redis.call('INCR', base .. 'order'))
end
