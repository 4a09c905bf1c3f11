-- What consumers have said of themselves, what they tell of what they run, and how many entries were handed out to each for the first time.
--
-- KEYS  1 consumers  2 the stream  3 the backlog
-- ARGV  1 group  2 and on: their names
-- RETURNS  for each { what it said or '', what it tells or '', entries pending with it }

local pending = {}
for _, log in ipairs({ KEYS[2], KEYS[3] }) do
  local known = redis.pcall('XINFO', 'CONSUMERS', log, ARGV[1])
  if not known.err then
    for _, reply in ipairs(known) do
      local info = {}
      for i = 1, #reply, 2 do info[reply[i]] = reply[i + 1] end
      pending[info.name] = (pending[info.name] or 0) + info.pending
    end
  end
end
local base = string.match(KEYS[1], '^(.*)consumers$')
local lines = {}
for i = 2, #ARGV do
  local name = ARGV[i]
  local said = redis.call('MGET', base .. 'consumer:' .. name, base .. 'consumer:' .. name .. ':running')
  lines[#lines + 1] = { said[1] or '', said[2] or '', pending[name] or 0 }
end
return lines
