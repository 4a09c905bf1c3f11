-- What workers have said of themselves, what they run, and how many jobs each holds. Last part, behind base.lua.
--
-- KEYS  1 workers
-- ARGV  their names
-- RETURN  for each { what it said or '', what it runs or '', length of its held list }

local lines = {}
for index, name in ipairs(ARGV) do
  local said = redis.call('MGET', base .. 'worker:' .. name, base .. 'worker:' .. name .. ':jobs')
  lines[index] = { said[1] or '', said[2] or '', redis.call('LLEN', base .. 'held:' .. name) }
end
return lines
