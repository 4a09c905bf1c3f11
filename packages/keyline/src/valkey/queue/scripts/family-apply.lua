-- Tells a parent of children that have ended, and lets it go where it has what it waits for. What it was told before changes nothing. Last part.
--
-- KEYS  1 workers
-- ARGV  1 family  2 batch  then for each child: number, outcome as JSON
-- RETURN  how many of them it had not known of

local key, jobs = base .. 'family:' .. ARGV[1], base .. 'family-jobs:' .. ARGV[2]
local state = redis.call('HMGET', key, 'death', 'moved:' .. ARGV[2])
if not state[2] then return 0 end

local function reason_of(queue, id, outcome)
  local is_read, read = pcall(cjson.decode, outcome)
  return string.sub('Its child ' .. id .. ' of queue ' .. queue .. ' is dead: ' .. (is_read and read.reason or ''), 1, 2000)
end

local numbers, values = {}, {}
for index = 3, #ARGV, 2 do numbers[#numbers + 1] = ARGV[index] end
for index, row in ipairs(redis.call('HMGET', jobs, unpack(numbers))) do
  local queue, id = string.match(row or '', '^(%S+) (%S+) %+')
  if queue then
    local outcome = ARGV[2 + 2 * index]
    if state[1] == 'die' and string.sub(outcome, 1, 17) == '{"outcome":"dead"' then
      redis.call('HSETNX', key, 'dead', reason_of(queue, id, outcome))
    end
    values[#values + 1] = numbers[index]
    values[#values + 1] = queue .. ' ' .. id .. ' =' .. outcome
  end
end
if #values > 0 then
  redis.call('HSET', jobs, unpack(values))
  redis.call('HINCRBY', key, 'open', -#values / 2)
end
release_family(ARGV[1])
placed()
return #values / 2
