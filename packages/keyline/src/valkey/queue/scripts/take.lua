-- Last part of the scripts that settle: takes ARGV 2 jobs from the queue into `held`, and returns them behind the numbers that are `missing`. Where the
-- queue has gates (KEYS 4 is there) it takes none and returns -2 in the end: then take-gated.lua decides.

local take = tonumber(ARGV[2])
local taken = {}
if take > 0 and redis.call('EXISTS', KEYS[4]) == 1 then
  taken[1] = -2
elseif take == 1 then
  taken[1] = redis.call('LMOVE', KEYS[3], held, 'RIGHT', 'RIGHT') or nil
elseif take > 1 then
  taken = redis.call('RPOP', KEYS[3], take) or taken
  if #taken > 0 then redis.call('RPUSH', held, unpack(taken)) end
end
if #missing > 0 then table.insert(taken, 1, missing) end
return taken
