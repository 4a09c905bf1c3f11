-- Part of scripts that tell how many jobs a queue has, behind base.lua.

-- What waits, what runs, and the element that is taken next.
local function count_jobs(held)
  local running = 0
  for _, worker in ipairs(redis.call('ZRANGE', base .. 'workers', 0, -1)) do
    running = running + redis.call('LLEN', held .. worker)
  end
  local waiting = 0
  local first
  for _, list in ipairs({ 'waiting:high', 'waiting', 'waiting:low' }) do
    waiting = waiting + redis.call('LLEN', base .. list)
    first = first or redis.call('LINDEX', base .. list, -1)
  end
  -- What stands for jobs that were cancelled is none; for a moment one of these may be held already.
  local stubs = tonumber(redis.call('GET', base .. 'stubs') or 0)
  return math.max(0, waiting - stubs), running, first
end
