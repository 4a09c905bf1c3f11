-- Settles what has finished and takes what there is room for, in one step.
--
-- KEYS  1 workers  2 held list of the worker  3 waiting  4 ids
-- ARGV  1 worker  2 how many to take  3 how many have finished  4 "1": the finished are the oldest held, in their order
--       then, if they are: texts that the elements of the first and of the last of them begin with
--       else for each finished: place in the held list, text its element begins with
--       then ids that callers chose, of the finished
-- RETURN  0 when the worker's lease is lost, -1 when the oldest held are not the finished (nothing was done), else
--         { numbers (from 1) of the finished that were not held any more, taken element, ... }

if not redis.call('ZSCORE', KEYS[1], ARGV[1]) then return 0 end

local held = KEYS[2]
local finished = tonumber(ARGV[3])
local missing = {}
local own_ids = 5 + 2 * finished

if ARGV[4] == '1' then
  own_ids = 7
  -- The list is the worker's alone and it knows the order: when both ends are where it expects them, so is what lies between.
  local oldest = redis.call('LPOP', held, finished) or {}
  if #oldest ~= finished or not begins_with(oldest[1], ARGV[5]) or not begins_with(oldest[finished], ARGV[6]) then
    for number = #oldest, 1, -1 do redis.call('LPUSH', held, oldest[number]) end
    return -1
  end
else
  for number = 1, finished do
    if not release(held, ARGV[3 + 2 * number], ARGV[4 + 2 * number]) then missing[#missing + 1] = number end
  end
end
for index = own_ids, #ARGV do redis.call('SREM', KEYS[4], ARGV[index]) end

local take = tonumber(ARGV[2])
if take == 0 then return { missing } end
local taken = redis.call('RPOP', KEYS[3], take)
if not taken then return { missing } end
redis.call('RPUSH', held, unpack(taken))
return { missing, unpack(taken) }
