-- How some of a parent's children have ended: until they are too many bytes to look at, the first in any case. Last part.
--
-- KEYS  1 workers
-- ARGV  1 family  2 number of the batch, from 1 on  3 number of the child before the first  4 how many at the most
-- RETURN  { batch and number from where the next page goes on, or 0 and 0; how many were looked at, how many of them are dead, and cancelled }

local batches = batches_of(ARGV[1])
local batch = batches[tonumber(ARGV[2])]
if not batch then return { 0, 0, 0, 0, 0 } end
local key = base .. 'family-jobs:' .. batch.name
local first = tonumber(ARGV[3])
local answer, bytes, last = { 0, 0, 0, 0, 0 }, 0, first
local stop = math.min(batch.count, first + ARGV[4])
while last < stop do
  bytes = bytes + redis.call('HSTRLEN', key, last + 1)
  if bytes > 1048576 and last > first then break end
  last = last + 1
  local row = redis.call('HGET', key, last)
  local outcome = row and string.match(row, '^%S+ %S+ ={"outcome":"(%l+)"')
  if outcome == 'dead' then answer[4] = answer[4] + 1 end
  if outcome == 'cancelled' then answer[5] = answer[5] + 1 end
end
answer[3] = last - first
if last < batch.count then
  answer[1], answer[2] = tonumber(ARGV[2]), last
elseif batches[ARGV[2] + 1] then
  answer[1] = ARGV[2] + 1
end
return answer
