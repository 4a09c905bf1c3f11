-- Part of scripts that bring grouped jobs to the queue or end them. A group has as many jobs on the queue as may run at a time: they are admitted, from the
-- moment when their turn comes until they have ended, also while they wait for a retry or for their own time. The others stand in the group's line, by the order in which they were added.
-- So a worker takes what it finds, and groups take turns.
--
-- Hash grouped: group -> for each admitted job: id, when, separated by spaces. Where jobs stand in `lines`, in front of that: '<number of the first> <of the last>|'
-- Hash lines: '<number> <group>' -> an element, behind '<due in ms>|' where it is due later. What ends together is read and removed together: one
--         key for each line would cost a command for each job.
-- Sorted set line:GROUP: jobs that have a place of their own among all, by that: '<due in ms, or 0>|<element>'. Behind those in `lines`.

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

local function has_places(group)
  return redis.call('EXISTS', base .. 'line:' .. group) == 1
end

local function read_group(name)
  local text = redis.call('HGET', base .. 'grouped', name) or ''
  local first, last, admitted = string.match(text, '^(%-?%d+) (%-?%d+)|(.*)$')
  admitted = admitted or text
  local _, spaces = string.gsub(admitted, ' ', ' ')
  local count = admitted == '' and 0 or (spaces + 1) / 2
  return { name = name, first = tonumber(first), last = tonumber(last), admitted = admitted, count = count }
end

local function write_group(group)
  if group.admitted == '' and not group.first and not has_places(group.name) then
    redis.call('HDEL', base .. 'grouped', group.name)
  else
    local numbers = group.first and group.first .. ' ' .. group.last .. '|' or ''
    redis.call('HSET', base .. 'grouped', group.name, numbers .. group.admitted)
  end
end

local function is_admitted(name, id)
  return string.find(' ' .. read_group(name).admitted, ' ' .. id .. ' ', 1, true) ~= nil
end

-- Whoever calls it writes the group.
local function admit(group, element, due)
  local head = head_of(element)
  if due <= now() or not schedule(element, due) then push(element, head) end
  group.admitted = (group.admitted == '' and '' or group.admitted .. ' ') .. id_in(head) .. ' ' .. now()
  group.count = group.count + 1
end

-- In this order: what is refused changes nothing.
local function admit_first_of_lines(group)
  local field = group.first .. ' ' .. group.name
  local text = redis.call('HGET', base .. 'lines', field)
  if text then
    local due, element = string.match(text, '^(%d+)|(.*)$')
    admit(group, element or text, tonumber(due or 0))
    redis.call('HDEL', base .. 'lines', field)
    redis.call('DECR', base .. 'blocked')
  end
  group.first = group.first + 1
  if group.first > group.last then group.first, group.last = nil, nil end
end

local function admit_first_by_place(group)
  local first = redis.call('ZRANGE', base .. 'line:' .. group.name, 0, 0)[1]
  if not first then return false end
  local due, element = string.match(first, '^(%d+)|(.*)$')
  admit(group, element, tonumber(due))
  redis.call('ZREM', base .. 'line:' .. group.name, first)
  redis.call('DECR', base .. 'blocked')
  return true
end

-- Lets jobs of the line in, as long as more of the group may be, and writes the group where it `is_changed`.
local function let_in(group, is_changed)
  read_rules()
  if not is_paused(group.name) then
    while group.count < most do
      if group.first then
        admit_first_of_lines(group)
      elseif not admit_first_by_place(group) then
        break
      end
      write_group(group)
      is_changed = false
    end
  end
  if is_changed or group.count == 0 then write_group(group) end
end

local function admit_next(name)
  let_in(read_group(name), false)
end

-- A job that is not admitted any more: the next one's turn.
local function leave_group(name, id)
  local group = read_group(name)
  local text = ' ' .. group.admitted
  local from, to = string.find(text, ' ' .. string.gsub(id, '%W', '%%%0') .. ' %d+')
  if not from then return end
  group.admitted = string.sub(string.sub(text, 1, from - 1) .. string.sub(text, to + 1), 2)
  group.count = group.count - 1
  let_in(group, true)
end

-- Returns the number that it has in the line.
local function enter_lines(group, text, is_in_front)
  local number
  if not group.first then
    number = 1
    group.first, group.last = 1, 1
  elseif is_in_front then
    number = group.first - 1
    group.first = number
  else
    number = group.last + 1
    group.last = number
  end
  redis.call('HSET', base .. 'lines', number .. ' ' .. group.name, text)
  redis.call('INCR', base .. 'blocked')
  write_group(group)
  return number
end

local function enter_by_place(group, text, place)
  -- It may be there: what was delivered twice.
  if redis.call('ZADD', base .. 'line:' .. group.name, place, text) == 1 then redis.call('INCR', base .. 'blocked') end
  if group.count == 0 then write_group(group) end
end

-- It was taken, and may not run now.
local function enter_in_front(group, element)
  local first = not group.first and redis.call('ZRANGE', base .. 'line:' .. group.name, 0, 0, 'WITHSCORES')[2]
  if first then enter_by_place(group, '0|' .. element, first - 0.5) else enter_lines(group, element, true) end
end

-- `order` is the job's place among all, where it is known. Where more than one may run at a time there is no order to keep, and whoever waits for its own time is not in the way.
-- Returns its number where it stands in `lines`.
local function place_in_group(name, element, due, order)
  read_rules()
  if most > 1 and due > now() and schedule(element, due) then return end
  local group = read_group(name)
  if group.count < most and not group.first and not has_places(name) and not is_paused(name) then
    admit(group, element, due)
    return write_group(group)
  end
  if not order and (group.first or not has_places(name)) then
    return enter_lines(group, due > 0 and due .. '|' .. element or element)
  end
  enter_by_place(group, due .. '|' .. element, order or redis.call('INCR', base .. 'order'))
end
