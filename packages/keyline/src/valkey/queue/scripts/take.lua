-- Last part of the scripts that settle, for a queue without gates: takes ARGV 2 jobs into `held`, and returns them behind the numbers that are `missing`.
-- Whether there are gates is not asked here, as that would cost every worker: gates.lua says how workers learn of them.

local take = tonumber(ARGV[2])
local taken
if take == 1 then
  taken = { redis.call('LMOVE', KEYS[3], held, 'RIGHT', 'RIGHT') or nil }
elseif take > 1 then
  taken = redis.call('LRANGE', KEYS[3], -take, -1)
  local count = #taken
  for index = 1, count / 2 do taken[index], taken[count + 1 - index] = taken[count + 1 - index], taken[index] end
  if count > 0 then
    -- In this order: where a slot is on its way to another node a list that is empty cannot be written, and what was popped before would be gone.
    redis.call('RPUSH', held, unpack(taken))
    redis.call('LTRIM', KEYS[3], 0, -count - 1)
  end
else
  taken = {}
end
if #missing > 0 then table.insert(taken, 1, missing) end
return taken
