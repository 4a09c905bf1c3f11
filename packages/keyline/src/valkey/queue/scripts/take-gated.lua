-- Last part of the scripts that settle, for a queue that has gates: takes up to ARGV 2 jobs into `held`, as many as its gates let through.
--
-- RETURN  { the numbers that are missing, state, milliseconds, how many of a group may run at a time, 1 where jobs were cancelled, elements ... }
--         state  'open': there is no more to take     'closed': there may be, so look again in so many milliseconds, or when told (-1)
--                'plain': the queue has no gates any more

local take = tonumber(ARGV[2])
local state, wait = 'open', -1
local taken = {}

local function close(ms)
  state = 'closed'
  if ms >= 0 and (wait < 0 or ms < wait) then wait = ms end
end

-- Every sixteenth turn is that of the low ones, every fourth that of the normal ones: nobody is starved.
-- Moved in one command: where a slot is on its way to another node a list that is empty cannot be written, and what was popped before would be gone.
local function hold_next()
  if not rules.priorities then return redis.call('LMOVE', base .. 'waiting', held, 'RIGHT', 'RIGHT') end
  local turn = redis.call('INCR', base .. 'turn')
  local order = { 'waiting:high', 'waiting', 'waiting:low' }
  if turn % 16 == 0 then
    order = { 'waiting:low', 'waiting:high', 'waiting' }
  elseif turn % 4 == 0 then
    order = { 'waiting', 'waiting:high', 'waiting:low' }
  end
  for _, list in ipairs(order) do
    local element = redis.call('LMOVE', base .. list, held, 'RIGHT', 'RIGHT')
    if element then return element end
  end
  return false
end

-- More of the group were let in than may run since the limit was lowered (group-rules.lua), and as many run as may: beside the one in question, which is held by now.
local function is_one_too_many(name)
  if read_group(name).count <= most then return false end
  local field = ',"group":"' .. name .. '"'
  local count = 0
  for _, worker in ipairs(redis.call('ZRANGE', base .. 'workers', now(), '+inf', 'BYSCORE')) do
    for _, element in ipairs(redis.call('LRANGE', base .. 'held:' .. worker, 0, -1)) do
      if string.find(head_of(element), field, 1, true) then count = count + 1 end
    end
  end
  return count > most
end

-- Until the rate of groups is another one (group-rules.lua).
local function note_rested(element, ms)
  redis.call('ZREMRANGEBYSCORE', base .. 'rested', '-inf', now())
  redis.call('ZADD', base .. 'rested', now() + ms, element)
  redis.call('PEXPIRE', base .. 'rested', 2 * rules['group.rate.per'] + 1000)
end

-- A job that was cancelled is dropped. One whose group may not start one now goes back where it came from, or rests.
local function is_let_through(element)
  local head = head_of(element)
  if rules.cancels and drop_if_marked(head, 'waiting') then return false end
  local group = string.match(head, ',"group":"([^"]*)"')
  if not group then return true end
  if has_paused and is_paused(group) then
    enter_in_front(read_group(group), element)
    leave_group(group, id_in(head))
    return false
  end
  if rules['group.lowered'] and is_one_too_many(group) and schedule(element, now() + 100) then return false end
  if rules['group.rate.max'] then
    local key = base .. 'starts:' .. group
    local room, ms = rate_room(key, rules['group.rate.max'], rules['group.rate.per'])
    if room < 1 and schedule(element, now() + ms) then
      note_rested(element, ms)
      return false
    end
    note_started(key, 1, rules['group.rate.per'])
  end
  return true
end

if #fields == 0 then state = 'plain' else redis.call('SADD', base .. 'gated', ARGV[1]) end
if take > 0 and rules.paused then
  take = 0
  close(-1)
end
local room = math.huge
if take > 0 and rules.concurrency then
  room = math.max(0, rules.concurrency - count_running())
  if room < take then
    take = room
    -- Whoever makes room takes the next one or says so; this is for those who cannot.
    close(250)
  end
end
if take > 0 and rules['rate.max'] then
  local free, ms = rate_room(base .. 'starts', rules['rate.max'], rules['rate.per'])
  if free < take then
    take = free
    close(ms)
  end
end
if take > 0 then
  read_rules()
  local looks_at_each = has_paused or rules['group.rate.max'] or rules['group.lowered'] or rules.cancels
  while #taken < take do
    local element = hold_next()
    if not element then
      state, wait = #fields == 0 and 'plain' or 'open', -1
      break
    end
    local is_through = true
    if looks_at_each then
      local is_done, answer = pcall(is_let_through, element)
      if not is_done then
        redis.pcall('LMOVE', held, base .. 'waiting', 'RIGHT', 'RIGHT')
        return type(answer) == 'table' and answer or redis.error_reply(answer)
      end
      is_through = answer
    end
    if is_through then taken[#taken + 1] = element else redis.call('RPOP', held) end
  end
  if #taken > 0 and rules['rate.max'] then
    note_started(base .. 'starts', #taken, rules['rate.per'])
    if state == 'closed' then
      local _, ms = rate_room(base .. 'starts', rules['rate.max'], rules['rate.per'])
      close(ms)
    end
  end
end
if rules.concurrency and room > #taken and redis.call('EXISTS', base .. 'waiting') == 1 and redis.call('LLEN', base .. 'wake') == 0 then
  redis.call('LPUSH', base .. 'wake', 1)
end
if rules['group.lowered'] and redis.call('EXISTS', base .. 'grouped') == 0 then redis.call('HDEL', base .. 'gates', 'group.lowered') end
placed()
return { missing, state, wait, rules['group.concurrency'] or 1, rules.cancels and 1 or 0, unpack(taken) }
