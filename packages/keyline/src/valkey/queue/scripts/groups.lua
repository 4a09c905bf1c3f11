-- Part of scripts that bring grouped jobs to the queue or end them. A group has as many jobs on the queue as may run at a time: they are admitted, from the
-- moment when their turn comes until they have ended, also while they wait for a retry or for their own time. The others stand in the group's line, by the order in which they were added.
-- So a worker takes what it finds, and groups take turns.
--
-- Hash grouped: group -> for each admitted job: id, when, with '\30' between all of them. In front of that '<hook>\31' where the line does not hang on the one job that is admitted.
-- Hash lines: jobs in line (lines.lua).
-- Sorted set line:GROUP: jobs that have a place of their own among all, by that: '<due in ms, or 0>|<element>'. Behind those in `lines`; what has a place below zero went back, and comes first.
-- Set fronts: groups of which something went back. As long as there is one, no end goes without a look at its group (leave-groups.lua).
--
-- Where something hangs already on what a job would hang on, or on the job itself (its id was used before, or a foreign writer has two with one id), it goes to the sorted set, and so do all
-- behind it: no line leads back to itself.
--
-- What changes several keys first reads or writes those that it may be refused: where a slot is on its way to another node a key that is not there cannot be read either.

local most, has_paused, is_lowered, fronts

local function read_rules()
  if most then return end
  local rules = redis.call('HMGET', base .. 'gates', 'group.concurrency', 'paused.groups', 'group.lowered')
  most = tonumber(rules[1] or 1)
  has_paused, is_lowered = rules[2], rules[3]
end

local function is_paused(group)
  return has_paused and redis.call('SISMEMBER', base .. 'paused', group) == 1
end

local function has_fronts()
  fronts = fronts or redis.call('EXISTS', base .. 'fronts')
  return fronts == 1
end

local function id_in(head)
  return string.match(head, '"id":"([^"]+)"') or ''
end

local function has_places(group)
  return redis.call('EXISTS', base .. 'line:' .. group) == 1
end

-- As it was written once: jobs in line stood in `lines` by number and group, and the text of the group began with the numbers of the first and the last. They go in front of all others.
local function bring_over(name, first, last, admitted)
  admitted = string.gsub(admitted, ' ', '\30')
  local fields = {}
  redis.call('SADD', base .. 'fronts', name)
  fronts = 1
  for number = tonumber(first), tonumber(last) do
    local field = string.format('%.0f ', number) .. name
    local text = redis.call('HGET', base .. 'lines', field)
    if text then
      redis.call('ZADD', base .. 'line:' .. name, number - last - 1, string.match(text, '^%d+|') and text or '0|' .. text)
      fields[#fields + 1] = field
    end
  end
  redis.call('HSET', base .. 'grouped', name, admitted)
  for _, field in ipairs(fields) do redis.call('HDEL', base .. 'lines', field) end
  return admitted
end

local function read_group(name)
  local text = redis.call('HGET', base .. 'grouped', name) or ''
  local hook, admitted = string.match(text, '^([^\31]*)\31(.*)$')
  admitted = admitted or text
  if not string.find(admitted, '\30', 1, true) then
    local first, last, words = string.match(admitted, '^(%-?%d+) (%-?%d+)|(.*)$')
    admitted = first and bring_over(name, first, last, words) or string.gsub(admitted, ' ', '\30')
  end
  local _, between = string.gsub(admitted, '\30', '\30')
  local count = admitted == '' and 0 or (between + 1) / 2
  local group = { name = name, hook = hook, admitted = admitted, count = count, hangs_aside = hook ~= nil }
  if not hook and count == 1 then group.hook = string.match(admitted, '^(.*)\30') end
  return group
end

local function is_one_of(group, id)
  return string.find('\30' .. group.admitted, '\30' .. id .. '\30', 1, true) ~= nil
end

local function is_admitted(name, id)
  return is_one_of(read_group(name), id)
end

local function write_admitted(group)
  local hook, admitted = group.hook, group.admitted
  local hangs_aside = hook ~= nil and not (group.count == 1 and string.sub(admitted, 1, #hook + 1) == hook .. '\30')
  if hangs_aside ~= group.hangs_aside then
    local number, last, cancelled, flags = tail_of(group.name)
    if number then write_tail(group.name, number, last, cancelled, (hangs_aside and '+' or '') .. string.gsub(flags, '%+', '')) end
    group.hangs_aside = hangs_aside
  end
  redis.call('HSET', base .. 'grouped', group.name, hangs_aside and hook .. '\31' .. admitted or admitted)
end

-- Nobody is in line, and whoever comes begins a new one.
local function end_line(group)
  redis.call('HDEL', base .. 'lines', '\29' .. group.name)
  group.hook = nil
end

-- The text of the first in line, which may have been due at its own time. What was cancelled in front of it is taken away.
local function first_in_line(group)
  local name = group.name
  local text = hanging_on(group.hook, name)
  if not text or not is_mark(text) then return text end
  local passed, sum = {}, 0
  while text and is_mark(text) do
    local count, _, last = parts_of_mark(text)
    sum = sum + count
    passed[#passed + 1] = group.hook
    group.hook = last
    text = hanging_on(last, name)
  end
  -- In this order: what is refused changes nothing that counts.
  write_admitted(group)
  for _, field in ipairs(passed) do redis.call('HDEL', base .. 'lines', field) end
  local number, last, cancelled, flags = tail_of(name)
  if number and sum > 0 then write_tail(name, number, last, cancelled - sum, flags) end
  return text
end

local function write_group(group)
  if group.admitted == '' and not first_in_line(group) and not has_places(group.name) then
    -- In this order: what stays of a group is there to be gone on with.
    redis.call('HDEL', base .. 'lines', '\29' .. group.name)
    redis.call('HDEL', base .. 'grouped', group.name)
  else
    write_admitted(group)
  end
end

-- Whoever calls it writes the group. Returns the id.
local function admit(group, element, due)
  local head = head_of(element)
  if due <= now() or not schedule(element, due) then push(element, head) end
  local id = id_in(head)
  group.admitted = (group.admitted == '' and '' or group.admitted .. '\30') .. id .. '\30' .. now()
  group.count = group.count + 1
  return id
end

-- In this order: what is refused changes nothing.
local function admit_first_in_line(group)
  local text = first_in_line(group)
  if not text then return false end
  redis.call('GET', base .. 'blocked')
  local due, element = string.match(text, '^(%d+)|(.*)$')
  local hook = group.hook
  local id = admit(group, element or text, tonumber(due or 0))
  redis.call('HDEL', base .. 'lines', hook)
  group.hook = id
  redis.call('DECR', base .. 'blocked')
  return true
end

-- What went back.
local function admit_first_in_front(group)
  if not has_fronts() or redis.call('SISMEMBER', base .. 'fronts', group.name) == 0 then return false end
  local line = base .. 'line:' .. group.name
  local first = redis.call('ZRANGE', line, 0, 0, 'WITHSCORES')
  if not first[1] or tonumber(first[2]) >= 0 then
    redis.call('SREM', base .. 'fronts', group.name)
    return false
  end
  redis.call('GET', base .. 'blocked')
  local due, element = string.match(first[1], '^(%d+)|(.*)$')
  local id = admit(group, element, tonumber(due))
  redis.call('ZREM', line, first[1])
  redis.call('DECR', base .. 'blocked')
  if group.count == 1 then group.hook = group.hook or id end
  return true
end

-- Where nobody stands in line.
local function admit_first_by_place(group)
  local first = redis.call('ZRANGE', base .. 'line:' .. group.name, 0, 0)[1]
  if not first then return false end
  redis.call('GET', base .. 'blocked')
  end_line(group)
  local due, element = string.match(first, '^(%d+)|(.*)$')
  local id = admit(group, element, tonumber(due))
  redis.call('ZREM', base .. 'line:' .. group.name, first)
  redis.call('DECR', base .. 'blocked')
  if group.count == 1 then group.hook = id end
  return true
end

-- Lets jobs of the line in, as long as more of the group may be, and writes the group where it `is_changed`.
local function let_in(group, is_changed)
  read_rules()
  if not is_paused(group.name) then
    while group.count < most and (admit_first_in_front(group) or admit_first_in_line(group) or admit_first_by_place(group)) do
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
  local text = '\30' .. group.admitted
  local from, to = string.find(text, '\30' .. string.gsub(id, '%W', '%%%0') .. '\30%d+')
  -- It may have left, and not all have come to pass that was to follow.
  if not from then return let_in(group, false) end
  group.admitted = string.sub(string.sub(text, 1, from - 1) .. string.sub(text, to + 1), 2)
  group.count = group.count - 1
  let_in(group, true)
end

local function enter_line(group, element, due, tail, is_taken)
  local name = group.name
  is_taken = is_taken or is_one_of(group, id_of_job(element))
  if tail then return hang(name, element, due, tail, is_taken) end
  if has_places(name) then return nil end
  local last = group.hook or own_field(name)
  local hangs_aside = group.count ~= 1 or last ~= string.match(group.admitted, '^(.*)\30')
  local hook, text = hang(name, element, due, { number = 0, last = last, cancelled = '0', flags = hangs_aside and '+' or '' }, is_taken)
  if hook and not group.hook then
    group.hook = last
    write_admitted(group)
  end
  return hook, text
end

local function enter_by_place(group, text, place)
  -- In this order: what is refused changes nothing.
  redis.call('GET', base .. 'blocked')
  -- It may be there: what was delivered twice.
  if redis.call('ZADD', base .. 'line:' .. group.name, place, text) == 1 then redis.call('INCR', base .. 'blocked') end
  if group.count == 0 then write_group(group) end
end

-- It was taken, and may not run now.
local function enter_in_front(group, element)
  local first = redis.call('ZRANGE', base .. 'line:' .. group.name, 0, 0, 'WITHSCORES')[2]
  -- In this order: what is refused changes nothing, also where that is what leave_group looks at, which follows.
  redis.call('HLEN', base .. 'lines')
  redis.call('SADD', base .. 'fronts', group.name)
  fronts = 1
  enter_by_place(group, '0|' .. element, math.min(first or 0, 0) - 1)
end

-- `order` is the job's place among all, where it is known. Where more than one may run at a time there is no order to keep, and whoever waits for its own time is not in the way.
-- Returns what it hangs on and the text that hangs there, where it stands in `lines`.
local function place_in_group(name, element, due, order)
  read_rules()
  if most > 1 and due > now() and schedule(element, due) then return end
  local tail, is_taken
  if not order then
    local found = redis.call('HMGET', base .. 'lines', '\29' .. name, id_of_job(element))
    is_taken = found[2]
    if found[1] then
      tail = { is_there = true }
      tail.number, tail.last, tail.cancelled, tail.flags = read_tail(found[1])
      -- The line hangs on the one that is admitted.
      if most == 1 and tail.flags == '' then
        local hook, text = hang(name, element, due, tail, is_taken)
        if hook then return hook, text end
        tail.flags = '|'
      end
    end
  end
  local group = read_group(name)
  if group.count < most and not is_paused(name) and not hanging_on(group.hook, name) and not has_places(name) then
    local id = admit(group, element, due)
    group.hook = group.hook or group.count == 1 and id or nil
    return write_group(group)
  end
  if not order then
    local hook, text = enter_line(group, element, due, tail, is_taken)
    if hook then return hook, text end
  end
  enter_by_place(group, due .. '|' .. element, order or redis.call('INCR', base .. 'order'))
end
