-- Part of add-placed.lua: jobs that have a group and nothing else that places them, as all of one call mostly have. They are added together, with as few commands as may be; a group whose line is not
-- as usual has its jobs added one by one.

-- ARGV of each such job: element, 2, 'group', its group.
local function have_only_groups()
  if #ARGV == 0 or #ARGV % 4 ~= 0 then return false end
  for index = 2, #ARGV, 4 do
    if ARGV[index] ~= '2' or ARGV[index + 1] ~= 'group' then return false end
  end
  return true
end

local function names_of_groups()
  local names, is_met = {}, {}
  for index = 4, #ARGV, 4 do
    local name = ARGV[index]
    if not is_met[name] then names[#names + 1] = name end
    is_met[name] = true
  end
  return names
end

local function tails_of(names)
  local fields = {}
  for index, name in ipairs(names) do fields[index] = '\29' .. name end
  return redis.call('HMGET', base .. 'lines', unpack(fields))
end

-- The number of its last in line, how many of its line were cancelled, and what the next one hangs on; false where its jobs go one by one.
local function state_of(name, text, tail)
  if not text then return { number = 0, cancelled = '0' } end
  -- One job is admitted, and the line hangs on it.
  local id = string.match(text, '^([^\30\31]+)\30%d+$')
  if not id then return false end
  if not tail then return not has_places(name) and { number = 0, cancelled = '0', last = id } end
  local number, last, cancelled, flags = read_tail(tail)
  return flags == '' and { number = number, cancelled = cancelled, last = last }
end

-- Where something hangs already on what the next one would hang on, and where two groups would have theirs hang on one id. Returns these ids.
local function give_up_shared(states, names)
  local lasts, of, is_met = {}, {}, {}
  for _, name in ipairs(names) do
    local last = states[name] and states[name].last
    if last then lasts[#lasts + 1], of[#of + 1] = last, name end
  end
  if #lasts == 0 then return is_met end
  local found = redis.call('HMGET', base .. 'lines', unpack(lasts))
  for index, last in ipairs(lasts) do
    if found[index] or is_met[last] then states[of[index]] = false end
    is_met[last] = true
  end
  return is_met
end

local function states_of(names)
  local states = {}
  local admitted = redis.call('HMGET', base .. 'grouped', unpack(names))
  local tails = tails_of(names)
  for index, name in ipairs(names) do states[name] = state_of(name, admitted[index], tails[index]) end
  return states, give_up_shared(states, names)
end

-- The first of its group, with a priority, goes to another list.
local function has_priority(element)
  return string.find(head_of(element), ',"priority":"', 1, true) ~= nil
end

-- What becomes of all of them: elements for `waiting`, texts of groups, what hangs where, and the numbers of those that go one by one.
local function plan(names)
  local states, is_met = states_of(names)
  local waiting, texts, hung, one_by_one = {}, {}, {}, {}
  local ids = {}
  for index = 1, #ARGV, 4 do ids[#ids + 1] = id_of_job(ARGV[index]) end
  local is_taken = redis.call('HMGET', base .. 'lines', unpack(ids))
  for number, id in ipairs(ids) do
    local element, name = ARGV[4 * number - 3], ARGV[4 * number]
    local state = states[name]
    if state and (is_taken[number] or is_met[id] or not state.last and has_priority(element)) then state.is_over = true end
    is_met[id] = true
    if not state or state.is_over then
      one_by_one[#one_by_one + 1] = number
    elseif not state.last then
      waiting[#waiting + 1] = element
      texts[#texts + 1], texts[#texts + 2] = name, id .. '\30' .. now()
      state.last = id
    else
      state.number = state.number + 1
      hung[#hung + 1], hung[#hung + 2] = state.last, in_line(element, state.number)
      state.last, state.is_longer = id, true
    end
  end
  return states, waiting, texts, hung, one_by_one
end

local function add_one_by_one(numbers)
  for _, number in ipairs(numbers) do place_in_group(ARGV[4 * number], ARGV[4 * number - 3], 0) end
end

local function add_grouped()
  read_rules()
  if most > 1 or has_paused then
    for index = 1, #ARGV, 4 do place_in_group(ARGV[index + 3], ARGV[index], 0) end
    return
  end
  local names = names_of_groups()
  local states, waiting, texts, hung, one_by_one = plan(names)
  -- In this order: what is refused changes nothing.
  redis.call('GET', base .. 'blocked')
  if #waiting > 0 then
    redis.call('LPUSH', base .. 'waiting', unpack(waiting))
    redis.call('HSET', base .. 'grouped', unpack(texts))
  end
  if #hung > 0 then
    redis.call('INCRBY', base .. 'blocked', #hung / 2)
    for _, name in ipairs(names) do
      local state = states[name]
      if state and state.is_longer then hung[#hung + 1], hung[#hung + 2] = '\29' .. name, state.number .. ' ' .. state.cancelled .. ' ' .. state.last end
    end
    redis.call('HSET', base .. 'lines', unpack(hung))
  end
  add_one_by_one(one_by_one)
end
