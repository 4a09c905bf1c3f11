-- Part of scripts that look at the lines of groups or change them. Here is what a line of jobs looks like that hang on one another; groups.lua says who goes into it, and whose turn it is.
--
-- Hash lines: jobs in line. Each hangs on the one before it, and so is found by its id: id of the one before -> the element, behind '<due in ms>|' where it is due later. What hangs
--         on a job that is admitted alone is next when that one ends, and no more need be looked up to know it. A line that is begun while nobody is admitted hangs on '\28<group>'.
--         In the place of what was cancelled is a mark: '><how many> <number of the first, if known> <what the next hangs on>\31<group>'.
--         '\29<group>' -> number of the last in line, how many of the line were cancelled, id of the last; in front of that '+' where the line does not hang on the one job that is admitted,
--         and '|' where nobody is to come behind it any more. Every fourth has its number in its element.
--
-- A job stays in its field until it leaves the line, so that whoever looks at all fields misses none. What hangs on an id of another group is none of this one's.

-- The id of a job in line, which may have been due at its own time.
local function id_of_job(text)
  if string.byte(text, 3) ~= 105 then return string.match(text, '"id":"([^"]+)"') end
  return string.sub(text, 8, string.find(text, '"', 8, true) - 1)
end

local function own_field(name) return '\28' .. name end

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

-- Number of the last in line, what the next one hangs on, how many of the line were cancelled, and what is said of the line: '+', '|', both or nothing.
local function read_tail(text)
  local flags, number, cancelled, last = string.match(text, '^([+|]*)(%-?%d+) (%-?%d+) (.*)$')
  return tonumber(number), last, cancelled, flags
end

local function tail_of(name)
  local text = redis.call('HGET', base .. 'lines', '\29' .. name)
  if text then return read_tail(text) end
end

local function write_tail(name, number, last, cancelled, flags)
  redis.call('HSET', base .. 'lines', '\29' .. name, flags .. number .. ' ' .. cancelled .. ' ' .. last)
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

-- The number of what hangs there, or of what would; nothing where that is not known soon.
local function number_on(hook, name, last_number)
  local passed = 0
  for _ = 1, 64 do
    local text = hanging_on(hook, name)
    if not text then return last_number - passed + 1 end
    local count, number, last
    if is_mark(text) then count, number, last = parts_of_mark(text) else number = number_in(text) end
    if number then return number - passed end
    passed = passed + (count or 1)
    hook = last or id_of_job(text)
  end
end

-- Behind the last of a line. Returns what it hangs on, and the text that hangs there; nothing where it cannot hang there, and nobody behind it.
local function hang(name, element, due, tail, is_taken)
  local id = id_of_job(element)
  local number, last, cancelled, flags = tail.number, tail.last, tail.cancelled, tail.flags
  if not string.find(flags, '|', 1, true) and not is_taken and id ~= last then
    local text = in_line(element, number + 1)
    if due > 0 then text = string.format('%.0f|', due) .. text end
    -- In this order: what is refused changes nothing.
    redis.call('INCR', base .. 'blocked')
    if redis.call('HSETNX', base .. 'lines', last, text) == 1 then
      write_tail(name, number + 1, id, cancelled, flags)
      return last, text
    end
    redis.call('DECR', base .. 'blocked')
  end
  if tail.is_there then write_tail(name, number, last, cancelled, '|' .. string.gsub(flags, '|', '')) end
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
  local last_number, tail, cancelled, flags = tail_of(name)
  if last_number then write_tail(name, last_number, tail, cancelled + 1, flags) end
end
