-- Adds jobs that have a group, and are placed by nothing else: those of all groups together, with as few commands as may be. A group whose line is not as usual has its jobs added one by one.
--
-- KEYS  1 workers
-- ARGV  for each: element, group

local count = #ARGV / 2

-- Of each group: the number of its last in line, how many of its line were cancelled, and what the next one hangs on; false where its jobs go one by one.
local states, names = {}, {}
for index = 1, count do
  local name = ARGV[2 * index]
  if states[name] == nil then
    states[name] = false
    names[#names + 1] = name
  end
end

local function fields_of(prefix)
  local fields = {}
  for index, name in ipairs(names) do fields[index] = prefix .. name end
  return fields
end

local function state_of(name, text, tail)
  if not text then return { number = 0, cancelled = '0' } end
  -- One job is admitted, and the line hangs on it.
  local id = string.match(text, '^([^\30\31]+)\30%d+$')
  if not id then return false end
  if not tail then return not has_places(name) and { number = 0, cancelled = '0', last = id } end
  local number, last, cancelled, shut = read_tail(tail)
  return shut == '' and { number = number, cancelled = cancelled, last = last }
end

-- Where something hangs already on what the next one would hang on, and where two groups would have theirs hang on one id.
local function give_up_shared()
  local lasts, of = {}, {}
  for _, name in ipairs(names) do
    local last = states[name] and states[name].last
    if last then lasts[#lasts + 1], of[#of + 1] = last, name end
  end
  if #lasts == 0 then return end
  local found, is_met = redis.call('HMGET', base .. 'lines', unpack(lasts)), {}
  for index, last in ipairs(lasts) do
    if found[index] or is_met[last] then states[of[index]] = false end
    is_met[last] = true
  end
end

local waiting, texts, hung, one_by_one = {}, {}, {}, {}
local blocked = 0

local function add(index, name, id)
  local element, state = ARGV[2 * index - 1], states[name]
  if not state.last then
    waiting[#waiting + 1] = element
    texts[#texts + 1], texts[#texts + 2] = name, id .. '\30' .. now()
  else
    state.number = state.number + 1
    hung[#hung + 1], hung[#hung + 2] = state.last, in_line(element, state.number)
    state.is_longer = true
    blocked = blocked + 1
  end
  state.last = id
end

read_rules()
if most == 1 and not has_paused then
  local ids = {}
  for index = 1, count do ids[index] = id_of_job(ARGV[2 * index - 1]) end
  local admitted = redis.call('HMGET', base .. 'grouped', unpack(names))
  local tails = redis.call('HMGET', base .. 'lines', unpack(fields_of('\29')))
  local is_taken = redis.call('HMGET', base .. 'lines', unpack(ids))
  for index, name in ipairs(names) do states[name] = state_of(name, admitted[index], tails[index]) end
  give_up_shared()
  local is_met = {}
  for index = 1, count do
    local name, id = ARGV[2 * index], ids[index]
    if states[name] and (is_taken[index] or is_met[id] or states[name].last == id) then states[name].is_over = true end
    is_met[id] = true
    if states[name] and not states[name].is_over then add(index, name, id) else one_by_one[#one_by_one + 1] = index end
  end
else
  for index = 1, count do one_by_one[index] = index end
end

-- In this order: what is refused changes nothing.
redis.call('EXISTS', base .. 'blocked')
if #waiting > 0 then
  redis.call('LPUSH', base .. 'waiting', unpack(waiting))
  redis.call('HSET', base .. 'grouped', unpack(texts))
end
if blocked > 0 then
  redis.call('INCRBY', base .. 'blocked', blocked)
  for _, name in ipairs(names) do
    local state = states[name]
    if state and state.is_longer then hung[#hung + 1], hung[#hung + 2] = '\29' .. name, state.number .. ' ' .. state.cancelled .. ' ' .. state.last end
  end
  redis.call('HSET', base .. 'lines', unpack(hung))
end
for _, index in ipairs(one_by_one) do place_in_group(ARGV[2 * index], ARGV[2 * index - 1], 0) end
placed()
