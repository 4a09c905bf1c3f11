-- Settles what has finished and takes what there is room for, in one step.
--
-- KEYS  1 workers  2 held list of the worker  3 waiting  4 ids
-- ARGV  1 worker  2 how many to take  3 how many have finished  4 "1": the finished are the oldest held, in their order
--       then for each finished: place in the held list, text its element begins with
--       then ids that callers chose, of the finished
-- RETURN  0 when the worker's lease is lost (nothing was done), else
--         { numbers (from 1) of the finished that were not held any more, taken element, ... }

if not redis.call('ZSCORE', KEYS[1], ARGV[1]) then return 0 end

local held = KEYS[2]
local finished = tonumber(ARGV[3])
local missing = {}
local is_released = false

if ARGV[4] == '1' then
  local oldest = redis.call('LPOP', held, finished) or {}
  is_released = #oldest == finished
  for number = 1, #oldest do
    if not begins_with(oldest[number], ARGV[4 + 2 * number]) then
      is_released = false
      break
    end
  end
  if not is_released then
    for number = #oldest, 1, -1 do redis.call('LPUSH', held, oldest[number]) end
  end
end
if not is_released then
  for number = 1, finished do
    if not release(held, ARGV[3 + 2 * number], ARGV[4 + 2 * number]) then missing[#missing + 1] = number end
  end
end
for index = 5 + 2 * finished, #ARGV do redis.call('SREM', KEYS[4], ARGV[index]) end

local take = tonumber(ARGV[2])
if take == 0 then return { missing } end
local taken = redis.call('RPOP', KEYS[3], take)
if not taken then return { missing } end
redis.call('RPUSH', held, unpack(taken))
return { missing, unpack(taken) }
