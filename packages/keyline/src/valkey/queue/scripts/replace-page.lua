-- Puts another element in the place of one that waits, if it is on this page, and moves it where its time or its priority has changed. One that a worker
-- holds is in no such place. Last part.
--
-- KEYS  1 workers
-- ARGV  1 place (look.lua)  2 from, '' to begin with  3 how many at the most  4 what was taken out when the page before was looked at
--       5 the element  6 the new one
--       7 when it is due: '' as before, 'delay' in so many milliseconds, 'at' in milliseconds since 1970  8 the number
--       9 1 where it is to go to the list of its priority, if it waits
-- RETURN  { from where the next page goes on or '', what was taken out by now, how many bytes each had on the average, '' where it was not there,
--         else where it is: 'waiting', 'scheduled' or 'blocked'; 'cancelled' where it is marked, and then it stays as it is: who cancels it finds it there }

local place, old, new = ARGV[1], ARGV[5], ARGV[6]
local members, next_from, from, keys = read_page(place, ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4]))
local head = head_of(new)
local group = string.match(head, ',"group":"([^"]*)"')

local due
if ARGV[7] == 'delay' then due = now() + ARGV[8] elseif ARGV[7] == 'at' then due = tonumber(ARGV[8]) end
if due and due <= now() then due = 0 end

local function text_of(number) return string.format('%.0f', number) end

-- Somebody may look at the place page by page.
local function note_taken_out()
  if redis.call('HEXISTS', base .. 'gates', 'cancels') == 1 then redis.call('HINCRBY', base .. 'gates', 'cancels', 1) end
end

-- It waits from now on, or stands in the line of its group.
local function go()
  if group and not is_admitted(group, id_in(head)) then
    place_in_group(group, new, 0)
    return is_admitted(group, id_in(head)) and 'waiting' or 'blocked'
  end
  push(new, head)
  return 'waiting'
end

-- In this order: one that is refused stays where it is.
local function replace_in_schedule(member)
  if not due or due > 0 then
    local score = due or redis.call('ZSCORE', base .. 'scheduled', member)
    local first = redis.call('ZRANGE', base .. 'scheduled', 0, 0, 'WITHSCORES')[2]
    redis.call('ZADD', base .. 'scheduled', score, new)
    if new ~= member then redis.call('ZREM', base .. 'scheduled', member) end
    if tonumber(score) < tonumber(first) then is_earliest = true end
    if due then note_taken_out() end
    return 'scheduled'
  end
  local state = go()
  redis.call('ZREM', base .. 'scheduled', member)
  note_taken_out()
  return state
end

-- Near the ends of a list it is really taken out; deep inside another element takes its place, which workers drop: see cancel-page.lua.
local function take_out_of_list(index)
  local near = 1000
  local length = redis.call('LLEN', base .. place)
  if index >= near and length - index > near then
    redis.call('LSET', base .. place, index, '{"cancelled":true,"id":"-","data":null}')
    redis.call('INCR', base .. 'stubs')
    return
  end
  redis.call('LSET', base .. place, index, '\0moved')
  redis.call('LREM', base .. place, index < near and 1 or -1, '\0moved')
  note_taken_out()
end

local function replace_in_list(index)
  if ARGV[9] ~= '1' and not (due and due > 0) then
    redis.call('LSET', base .. place, index, new)
    return 'waiting'
  end
  take_out_of_list(index)
  if due and due > 0 then
    -- Where several of a group may run at a time, one that waits for its own time makes room.
    read_rules()
    if group and most > 1 then leave_group(group, id_in(head)) end
    if schedule(new, due) then return 'scheduled' end
  end
  return go()
end

local function replace_in_line(member, key)
  local before = string.match(member, '^(%d+)|')
  if place == 'lines' or string.sub(place, 1, 6) == 'lines:' then
    local text = due or tonumber(before or 0)
    redis.call('HSET', base .. 'lines', key, text > 0 and text_of(text) .. '|' .. new or new)
  else
    local text = text_of(due or tonumber(before)) .. '|' .. new
    redis.call('ZADD', base .. place, redis.call('ZSCORE', base .. place, member), text)
    if text ~= member then redis.call('ZREM', base .. place, member) end
  end
  return 'blocked'
end

-- The next add with its key replaces the data of this one: once.lua.
local function follow_key()
  local key = string.match(head, ',"debounce":"([^"]*)"')
  local text = key and redis.call('GET', base .. 'latest:' .. key)
  if not text then return end
  local hook, member = string.match(text, '^([^\31]*)\31(.*)$')
  local before, element = string.match(member or text, '^(%d+)|(.*)$')
  if element ~= old then return end
  local until_ms = due or tonumber(before)
  if until_ms <= now() then return redis.call('DEL', base .. 'latest:' .. key) end
  redis.call('SET', base .. 'latest:' .. key, (hook and hook .. '\31' or '') .. text_of(until_ms) .. '|' .. new, 'PX', until_ms - now())
end

-- A parent rests until its children have ended: family.lua.
local function rests(member)
  return place == 'scheduled' and tonumber(redis.call('ZSCORE', base .. place, member)) > 500000000000000
end

local bytes, state = 0, ''
for index, member in ipairs(members) do
  bytes = bytes + #member
  if state == '' and element_in(member) == old and not rests(member) then
    if mark_of(id_in(head)) == 'plain' then
      state = 'cancelled'
      break
    end
    if place == 'scheduled' then
      state = replace_in_schedule(member)
    elseif is_list(place) then
      state = replace_in_list(from + index - 1)
    else
      state = replace_in_line(member, key_at(place, index, member, from, keys))
    end
    follow_key()
  end
end
placed()
return { type(next_from) == 'number' and text_of(next_from) or next_from, shifts(), #members > 0 and math.floor(bytes / #members) or 0, state }
