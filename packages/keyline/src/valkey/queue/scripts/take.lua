-- The second half of the scripts that settle: forgets the ids in ARGV from `own_ids` on, takes ARGV 2 jobs from the queue into
-- `held`, and returns them behind the numbers that are `missing`.

for index = own_ids, #ARGV do redis.call('SREM', KEYS[4], ARGV[index]) end

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
