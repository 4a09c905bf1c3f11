-- Last part of the scripts that settle, for a queue without gates: takes ARGV 2 jobs into `held`, and returns them behind the numbers that are `missing`.
-- Whether there are gates is not asked here, as that would cost every worker: gates.lua says how workers learn of them.

local take = tonumber(ARGV[2])
local taken = {}
if take == 1 then
  taken[1] = redis.call('LMOVE', KEYS[3], held, 'RIGHT', 'RIGHT') or nil
elseif take > 1 then
  taken = redis.call('RPOP', KEYS[3], take) or taken
  if #taken > 0 then redis.call('RPUSH', held, unpack(taken)) end
end
if #missing > 0 then table.insert(taken, 1, missing) end
return taken
