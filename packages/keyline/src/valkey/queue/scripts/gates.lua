-- Part of the scripts that look at a queue's gates: what keeps its jobs from being taken, or lets some go before others.
--
-- Hash gates: paused, paused.groups (how many), priorities (some were added with one), cancels (cancelled.lua), concurrency, rate.max, rate.per, group.concurrency, group.rate.max,
-- group.rate.per, group.lowered (group-rules.lua). Without it the queue has none.
--
-- A worker looks at them with its first take, whenever it is told of a change (signal('gates') in place.lua) or finds with a renewal of its lease that it was not. Until
-- a look has shown that there are none, all its takes are this script's. So whoever changes them clears the set `gated`, where workers enter
-- themselves that have looked since, and waits for all whose lease goes on (queue/gates/gatekeeper.ts): then the change is in force.

local rules = {}
local fields = redis.call('HGETALL', base .. 'gates')
for index = 1, #fields, 2 do rules[fields[index]] = tonumber(fields[index + 1]) or fields[index + 1] end

-- How many may start now, of at most `max` in any `per` milliseconds, and in how many milliseconds the next one may, if none. The window is a little
-- longer than asked for: the clock here has milliseconds, and from here to the handler one job may take longer than another.
-- List at `key`: the newest at the left, each '<ms>:<how many started>'. The sum of those that are in the list is at `key`:sum.
local function rate_room(key, max, per)
  local window = per + math.ceil(per * 0.005)
  local started = tonumber(redis.call('GET', key .. ':sum') or 0)
  while true do
    local oldest = redis.call('LINDEX', key, -1)
    if not oldest then return max, 0 end
    local ms, count = string.match(oldest, '^(%d+):(%d+)$')
    if tonumber(ms) + window > now() then
      if started < max then return max - started, 0 end
      return 0, tonumber(ms) + window - now()
    end
    redis.call('RPOP', key)
    started = redis.call('DECRBY', key .. ':sum', count)
  end
end

local function note_started(key, count, per)
  redis.call('LPUSH', key, now() .. ':' .. count)
  redis.call('INCRBY', key .. ':sum', count)
  redis.call('PEXPIRE', key, 2 * per + 1000)
  redis.call('PEXPIRE', key .. ':sum', 2 * per + 1000)
end

-- Jobs that are held by workers whose lease goes on: the place of one that died is free when its lease has ended.
local function count_running()
  local running = 0
  for _, worker in ipairs(redis.call('ZRANGE', base .. 'workers', now(), '+inf', 'BYSCORE')) do
    running = running + redis.call('LLEN', base .. 'held:' .. worker)
  end
  return running
end
