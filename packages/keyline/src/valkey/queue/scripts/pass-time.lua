-- Lets time pass for what users of the queue wait for: jobs that are due later, keys that are held for a time, what is remembered of jobs that have
-- ended, and rates. Leases go on by the server's clock. For rehearsals, whose queues have few jobs. Last part.
--
-- KEYS  1 workers
-- ARGV  1 milliseconds
-- RETURN  nothing

local ms = tonumber(ARGV[1])

-- '<due>|<element>' as it is that much earlier; 0 stands for no time. It may have what it hangs on in front of it, as in once.lua, or be something without a time.
local function earlier(member)
  local hook = string.match(member, '^[^\31]*\31') or ''
  local due, element = string.match(member, '^(%d+)|(.*)$', #hook + 1)
  if not due or tonumber(due) == 0 then return member end
  return hook .. string.format('%.0f|', math.max(1, due - ms)) .. element
end

local function expire_earlier(key)
  local left = redis.call('PTTL', key)
  if left >= 0 and left <= ms then
    redis.call('DEL', key)
  elseif left >= 0 then
    redis.call('PEXPIRE', key, left - ms)
  end
end

for _, element in ipairs(redis.call('ZRANGE', base .. 'scheduled', 0, -1)) do
  redis.call('ZINCRBY', base .. 'scheduled', -ms, element)
  is_earliest = true
end
local lines = redis.call('HGETALL', base .. 'lines')
for index = 1, #lines, 2 do
  local text = lines[index + 1]
  if string.match(text, '^%d+|') then redis.call('HSET', base .. 'lines', lines[index], earlier(text)) end
end
for _, group in ipairs(redis.call('HKEYS', base .. 'grouped')) do
  local line = base .. 'line:' .. group
  local members = redis.call('ZRANGE', line, 0, -1, 'WITHSCORES')
  for index = 1, #members, 2 do
    redis.call('ZREM', line, members[index])
    redis.call('ZADD', line, members[index + 1], earlier(members[index]))
  end
end

-- What began so long ago that it does not count any more is dropped by the next look (gates.lua).
local function start_earlier(starts)
  for index, entry in ipairs(redis.call('LRANGE', starts, 0, -1)) do
    local at, count = string.match(entry, '^(%d+):(%d+)$')
    redis.call('LSET', starts, index - 1, string.format('%.0f:', at - ms) .. count)
  end
end

local has_rates = false
local cursor = '0'
repeat
  local found = redis.call('SCAN', cursor, 'MATCH', base .. '*', 'COUNT', 1000)
  cursor = found[1]
  for _, key in ipairs(found[2]) do
    local name = string.sub(key, #base + 1)
    if string.match(name, '^dedupe:') or string.match(name, '^outcome:') then
      expire_earlier(key)
    elseif string.match(name, '^latest:') then
      redis.call('SET', key, earlier(redis.call('GET', key)), 'KEEPTTL')
      expire_earlier(key)
    elseif name == 'starts' or string.match(name, '^starts:') then
      has_rates = true
      if redis.call('TYPE', key).ok == 'list' then start_earlier(key) end
    end
  end
until cursor == '0'

if has_rates then signal('gates') end
placed()
