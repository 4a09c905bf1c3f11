-- Part of scripts that bring jobs to the queue: where a job goes. `base` is what all keys of the queue begin with.
--
-- A job that has its turn goes to the tail of `waiting`, or of the list of its priority; as long as nothing waits at all, `waiting` is as good as any,
-- and wakes workers that wait for it.

local is_earliest = false
local clock

local function now()
  if not clock then
    local time = redis.call('TIME')
    clock = time[1] * 1000 + math.floor(time[2] / 1000)
  end
  return clock
end

-- The fields that Keyline writes in front of the data.
local function head_of(element)
  if string.sub(element, 1, 7) ~= '{"id":"' and string.sub(element, 1, 12) ~= '{"attempts":' then return '' end
  local data_at = string.find(element, ',"data":', 1, true)
  return data_at and string.sub(element, 1, data_at - 1) or ''
end

-- The element of a job that may be taken since then, and its head: by that it is known for how long it has waited. Elsewhere that is since it was added.
local function ready_since(element, head, since)
  if head == '' then return element, head end
  local data = string.sub(element, #head + 1)
  if string.find(head, ',"ready":', 1, true) then head = string.gsub(head, ',"ready":%d+', '') end
  head = head .. ',"ready":' .. string.format('%.0f', since)
  return head .. data, head
end

-- Tells workers at once what they would else learn with the next renewal of their lease.
local function signal(kind)
  if redis.call('EXISTS', base .. 'workers') == 0 then return end
  redis.call('XADD', base .. 'signals', 'MAXLEN', '~', 100, '*', 'kind', kind)
  redis.call('EXPIRE', base .. 'signals', 3600)
end

-- Two equal elements (a foreign writer added them) would be one member: false then.
local function schedule(element, due)
  local first = redis.call('ZRANGE', base .. 'scheduled', 0, 0, 'WITHSCORES')[2]
  if redis.call('ZADD', base .. 'scheduled', 'NX', due, element) == 0 then return false end
  if not first or due < tonumber(first) then is_earliest = true end
  return true
end

local function push(element, head)
  local priority = string.match(head, ',"priority":"(%a+)"')
  if priority ~= 'high' and priority ~= 'low' then return redis.call('LPUSH', base .. 'waiting', element) end
  local waits = redis.call('LLEN', base .. 'waiting') + redis.call('LLEN', base .. 'waiting:high')
  if priority == 'low' then waits = waits + redis.call('LLEN', base .. 'waiting:low') end
  redis.call('LPUSH', waits == 0 and base .. 'waiting' or base .. 'waiting:' .. priority, element)
  if waits > 0 and redis.call('HSETNX', base .. 'gates', 'priorities', 1) == 1 then signal('gates') end
end

-- Call it when everything is placed.
local function placed()
  if is_earliest then signal('due') end
end
