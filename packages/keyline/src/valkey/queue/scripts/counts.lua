-- Counts a queue's jobs.
--
-- KEYS  1 waiting  2 workers  3 scheduled  4 dead
-- ARGV  1 key of a held list without its worker
-- RETURN  { waiting, running, scheduled, dead, beginning of the element that is taken next or '' }

local running = 0
for _, worker in ipairs(redis.call('ZRANGE', KEYS[2], 0, -1)) do
  running = running + redis.call('LLEN', ARGV[1] .. worker)
end
local first = redis.call('LINDEX', KEYS[1], -1)
return {
  redis.call('LLEN', KEYS[1]),
  running,
  redis.call('ZCARD', KEYS[3]),
  redis.call('LLEN', KEYS[4]),
  first and string.sub(first, 1, 300) or '',
}
