-- Part of scripts that bring grouped jobs to the queue or end them. A group has as many jobs on the queue as may run at a time: they are admitted, from the
-- moment when their turn comes until they have ended, also while they wait for a retry or for their own time. The others stand in the group's line, by the order in which they were added.
-- So a worker takes what it finds, and groups take turns.
--
-- Hash grouped: group -> for each admitted job: id, when, with '\30' between all of them. In front of that '\31' where the line hangs on the group's own field.
-- Hash lines: jobs in line. Each hangs on the one before it, and so is found by its id: id of the one before -> the element, behind '<due in ms>|' where it is due later. What hangs
--         on a job that is admitted alone is next when that one ends, and no more need be looked up to know it. Where there is no such job the first hangs on the group's own field,
--         '\28<group>'. '\29<group>' -> number of the last in line, how many of the line were cancelled, id of the last; in front of that '|' where nobody is to come behind it any more.
--         Every fourth has its number in its element. In the place of what was cancelled is a mark: '><how many> <number of the first, if known> <id of the last>\31<group>'.
-- Sorted set line:GROUP: jobs that have a place of their own among all, by that: '<due in ms, or 0>|<element>'. Behind those in `lines`.
--
-- So something hangs on the id of a job only as long as that job is in line, or was cancelled there, or is admitted alone. Where something hangs already on what a job would hang on, or on the job
-- itself (its id was used before, or a foreign writer has two with one id), it goes to the sorted set, and so do all behind it: no line leads back to itself. What hangs on an id of another group
-- is none of this one's.
--
-- What changes several keys first reads or writes those that it may be refused: where a slot is on its way to another node a key that is not there cannot be read either.

local most, has_paused, is_lowered

local function read_rules()
  if most then return end
  local rules = redis.call('HMGET', base .. 'gates', 'group.concurrency', 'paused.groups', 'group.lowered')
  most = tonumber(rules[1] or 1)
  has_paused, is_lowered = rules[2], rules[3]
end

local function is_paused(group)
  return has_paused and redis.call('SISMEMBER', base .. 'paused', group) == 1
end

local function id_in(head)
  return string.match(head, '"id":"([^"]+)"') or ''
end

-- The same of a job in line, which may have been due at its own time.
local function id_of_job(text)
  if string.byte(text, 3) ~= 105 then return string.match(text, '"id":"([^"]+)"') end
  return string.sub(text, 8, string.find(text, '"', 8, true) - 1)
end

local function has_places(group)
  return redis.call('EXISTS', base .. 'line:' .. group) == 1
end

local function own_field(name) return '\28' .. name end

local function read_group(name)
  local text = redis.call('HGET', base .. 'grouped', name) or ''
  local hangs_on_own = string.sub(text, 1, 1) == '\31'
  local admitted = hangs_on_own and string.sub(text, 2) or text
  -- As it was written once.
  if not string.find(admitted, '\30', 1, true) then admitted = string.gsub(admitted, ' ', '\30') end
  local _, between = string.gsub(admitted, '\30', '\30')
  local count = admitted == '' and 0 or (between + 1) / 2
  local hook = hangs_on_own and own_field(name) or count == 1 and string.match(admitted, '^(.*)\30') or nil
  return { name = name, hook = hook, admitted = admitted, count = count }
end

local function write_admitted(group)
  redis.call('HSET', base .. 'grouped', group.name, (group.hook == own_field(group.name) and '\31' or '') .. group.admitted)
end

local function is_mark(text) return string.sub(text, 1, 1) == '>' end

local function parts_of_mark(text)
  local count, number, last = string.match(text, '^>(%d+) (%-?%d*) ([^\31]*)')
  return tonumber(count), tonumber(number), last
end

-- The text that hangs there, if it is of that group.
local function hanging_on(hook, name)
  local text = hook and redis.call('HGET', base .. 'lines', hook)
  if text and is_mark(text) then return string.match(text, '\31(.*)$') == name and text or nil end
  local element = text and (string.match(text, '^%d+|(.*)$') or text)
  return element and string.find(head_of(element), ',"group":"' .. name .. '"', 1, true) and text or nil
end

local function write_group(group)
  if group.admitted == '' and not hanging_on(group.hook, group.name) and not has_places(group.name) then
    -- In this order: what stays of a group is there to be gone on with.
    redis.call('HDEL', base .. 'lines', '\29' .. group.name)
    redis.call('HDEL', base .. 'grouped', group.name)
  else
    write_admitted(group)
  end
end

local function is_one_of(group, id)
  return string.find('\30' .. group.admitted, '\30' .. id .. '\30', 1, true) ~= nil
end

local function is_admitted(name, id)
  return is_one_of(read_group(name), id)
end

-- Number of the last in line, what the next one hangs on, how many of the line were cancelled, and '|' where there is to be no next one.
local function read_tail(text)
  local shut, number, cancelled, last = string.match(text, '^(|?)(%-?%d+) (%-?%d+) (.*)$')
  return tonumber(number), last, cancelled, shut
end

local function tail_of(name)
  local text = redis.call('HGET', base .. 'lines', '\29' .. name)
  if text then return read_tail(text) end
end

local function write_tail(name, number, last, cancelled, shut)
  redis.call('HSET', base .. 'lines', '\29' .. name, shut .. number .. ' ' .. cancelled .. ' ' .. last)
end

-- Nobody is in line, and whoever comes begins a new one.
local function end_line(group)
  redis.call('HDEL', base .. 'lines', '\29' .. group.name)
  group.hook = nil
end

-- Hangs on another field now: a debounce has to find it there (once.lua).
local function hang_elsewhere(text, field)
  redis.call('HSET', base .. 'lines', field, text)
  local key = string.find(text, ',"debounce":"', 1, true) and string.match(text, ',"debounce":"([^"]*)"')
  local note = key and redis.call('GET', base .. 'latest:' .. key)
  if note and string.sub(note, -#text) == text then redis.call('SET', base .. 'latest:' .. key, field .. '\31' .. text, 'KEEPTTL') end
end

-- The text of the first in line, which may have been due at its own time. What was cancelled in front of it is taken away.
local function first_in_line(group)
  local name, hook = group.name, group.hook
  local text = hanging_on(hook, name)
  if not text or not is_mark(text) then return text end
  local passed, sum = {}, 0
  while text and is_mark(text) do
    local count, _, last = parts_of_mark(text)
    sum = sum + count
    passed[#passed + 1] = hook
    hook = last
    text = hanging_on(hook, name)
  end
  local number, last, cancelled, shut = tail_of(name)
  if text then
    hang_elsewhere(text, group.hook)
    passed[1] = hook
  else
    last = group.hook
  end
  for _, field in ipairs(passed) do redis.call('HDEL', base .. 'lines', field) end
  if number then write_tail(name, number, last, cancelled - sum, shut) end
  return text
end

-- There is no job any more on which alone the line hangs.
local function hang_on_own_field(group)
  local own = own_field(group.name)
  if group.hook == own then return end
  local text = first_in_line(group)
  if not text then return end_line(group) end
  hang_elsewhere(text, own)
  redis.call('HDEL', base .. 'lines', group.hook)
  group.hook = own
end

local every = 4

-- The element as it stands in line: with its number, if that is one of every so many, and without one that it had before.
local function in_line(element, number)
  local at = string.find(element, ',"line":', 1, true)
  if at and at < #head_of(element) then element = string.gsub(element, ',"line":[^,]*', '', 1) end
  if number % every ~= 0 then return element end
  local data_at = string.find(element, ',"data":', 1, true)
  return string.sub(element, 1, data_at - 1) .. ',"line":' .. number .. string.sub(element, data_at)
end

local function number_in(text)
  local at = string.find(text, ',"line":', 1, true)
  return at and at < string.find(text, ',"data":', 1, true) and tonumber(string.match(text, '^%d+', at + 8))
end

-- How many stand in its line, and how many bytes had to be read for that. What has no number is as far from one that has as it is in front of it.
local function length_of_line(group)
  local last_number, _, cancelled = tail_of(group.name)
  local hook, count, passed, bytes = group.hook, 0, 0, 0
  while passed < 10000 do
    local text = hanging_on(hook, group.name)
    if not text then break end
    bytes = bytes + #text
    local marked, number, last
    if is_mark(text) then marked, number, last = parts_of_mark(text) else number = number_in(text) end
    if number and last_number then return last_number - (number - passed) + 1 - cancelled, bytes end
    if not marked then count = count + 1 end
    passed = passed + (marked or 1)
    hook = last or id_of_job(text)
  end
  return count, bytes
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
  redis.call('EXISTS', base .. 'blocked')
  local due, element = string.match(text, '^(%d+)|(.*)$')
  local hook = group.hook
  local id = admit(group, element or text, tonumber(due or 0))
  redis.call('HDEL', base .. 'lines', hook)
  group.hook = id
  if group.count > 1 then hang_on_own_field(group) end
  redis.call('DECR', base .. 'blocked')
  return true
end

-- Where nobody stands in line.
local function admit_first_by_place(group)
  local first = redis.call('ZRANGE', base .. 'line:' .. group.name, 0, 0)[1]
  if not first then return false end
  redis.call('EXISTS', base .. 'blocked')
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
    while group.count < most and (admit_first_in_line(group) or admit_first_by_place(group)) do
      write_group(group)
      is_changed = false
    end
  end
  if group.count == 0 then hang_on_own_field(group) end
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
  if not from then return end
  group.admitted = string.sub(string.sub(text, 1, from - 1) .. string.sub(text, to + 1), 2)
  group.count = group.count - 1
  let_in(group, true)
end

-- Behind the last of a line. Returns what it hangs on, and the text that hangs there; nothing where it cannot hang there, and nobody behind it.
local function hang(name, element, due, tail, is_taken)
  local id = id_of_job(element)
  local number, last, cancelled = tail.number, tail.last, tail.cancelled
  if tail.shut == '' and not is_taken and id ~= last then
    local text = in_line(element, number + 1)
    if due > 0 then text = string.format('%.0f|', due) .. text end
    -- In this order: what is refused changes nothing.
    redis.call('INCR', base .. 'blocked')
    if redis.call('HSETNX', base .. 'lines', last, text) == 1 then
      write_tail(name, number + 1, id, cancelled, '')
      return last, text
    end
    redis.call('DECR', base .. 'blocked')
  end
  write_tail(name, number, last, cancelled, '|')
end

local function enter_line(group, element, due, tail, is_taken)
  local name = group.name
  is_taken = is_taken or is_one_of(group, id_of_job(element))
  if tail then return hang(name, element, due, tail, is_taken) end
  if has_places(name) then return nil end
  local old_hook = group.hook
  if group.count ~= 1 then group.hook = own_field(name) end
  local hook, text = hang(name, element, due, { number = 0, last = group.hook, cancelled = '0', shut = '' }, is_taken)
  if hook and group.hook ~= old_hook then write_admitted(group) end
  return hook, text
end

local function enter_by_place(group, text, place)
  -- It may be there: what was delivered twice.
  if redis.call('ZADD', base .. 'line:' .. group.name, place, text) == 1 then redis.call('INCR', base .. 'blocked') end
  if group.count == 0 then write_group(group) end
end

-- The first in line from now on, of a group of which it is admitted. What was first hangs on it, and does so already if the line hung on it. False where it cannot be.
local function enter_line_in_front(group, element, first)
  local id, own = id_in(head_of(element)), own_field(group.name)
  local number, last, cancelled, shut = tail_of(group.name)
  if first and id_in(first) == id then return true end
  if first and (id == last or group.hook ~= id and redis.call('HEXISTS', base .. 'lines', id) == 1) then return false end
  redis.call('INCR', base .. 'blocked')
  if first and group.hook ~= id then
    hang_elsewhere(first, id)
    redis.call('HDEL', base .. 'lines', group.hook)
  end
  redis.call('HSET', base .. 'lines', own, in_line(element, 1))
  if not first then write_tail(group.name, (number or 0) + 1, id, cancelled or '0', shut or '') end
  group.hook = own
  write_admitted(group)
  return true
end

-- It was taken, and may not run now.
local function enter_in_front(group, element)
  local first = first_in_line(group)
  local place = not first and redis.call('ZRANGE', base .. 'line:' .. group.name, 0, 0, 'WITHSCORES')[2]
  if place or not enter_line_in_front(group, element, first) then enter_by_place(group, '0|' .. element, (place or 0) - 0.5) end
end

-- The job that hangs on `field` was cancelled. What hangs on it still does, but for a mark, which becomes one with this one.
local function mark_in_line(name, field, text)
  local id, count, number = id_of_job(text), 1, number_in(text)
  local last = id
  local behind = hanging_on(id, name)
  if behind and is_mark(behind) then
    local more, next_number, next_last = parts_of_mark(behind)
    count, number, last = 1 + more, number or next_number and next_number - 1, next_last
    redis.call('HDEL', base .. 'lines', id)
  end
  redis.call('HSET', base .. 'lines', field, '>' .. count .. ' ' .. (number or '') .. ' ' .. last .. '\31' .. name)
  local last_number, tail, cancelled, shut = tail_of(name)
  if last_number then write_tail(name, last_number, tail, cancelled + 1, shut) end
end

-- `order` is the job's place among all, where it is known. Where more than one may run at a time there is no order to keep, and whoever waits for its own time is not in the way.
-- Returns what it hangs on and the text that hangs there, where it stands in `lines`.
local function place_in_group(name, element, due, order)
  read_rules()
  if most > 1 and due > now() and schedule(element, due) then return end
  local tail, is_taken
  if not order then
    local found = redis.call('HMGET', base .. 'lines', '\29' .. name, id_of_job(element), own_field(name))
    is_taken = found[2]
    if found[1] then
      tail = {}
      tail.number, tail.last, tail.cancelled, tail.shut = read_tail(found[1])
      -- The line hangs on the one that is admitted.
      if most == 1 and tail.shut == '' and not found[3] then
        local hook, text = hang(name, element, due, tail, is_taken)
        if hook then return hook, text end
        tail.shut = '|'
      end
    end
  end
  local group = read_group(name)
  if group.count < most and not is_paused(name) and not hanging_on(group.hook, name) and not has_places(name) then
    if tail or group.count > 0 then end_line(group) end
    local id = admit(group, element, due)
    group.hook = group.count == 1 and id or nil
    return write_group(group)
  end
  if not order then
    local hook, text = enter_line(group, element, due, tail, is_taken)
    if hook then return hook, text end
  end
  enter_by_place(group, due .. '|' .. element, order or redis.call('INCR', base .. 'order'))
end
