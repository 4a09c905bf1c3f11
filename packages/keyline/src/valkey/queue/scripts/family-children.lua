-- Reads a page of a parent's children, in the order in which they were added. Last part.
--
-- KEYS  1 workers
-- ARGV  1 family  2 number of the batch, from 1 on  3 number of the child before the first  4 how many at the most
-- RETURN  { batch and number from where the next page goes on, or 0 and 0; how many have been brought to their queues of those that follow, then the rows }

local batches = batches_of(ARGV[1])
local batch = batches[tonumber(ARGV[2])]
if not batch then return { 0, 0, 0 } end
local answer, numbers, last = { 0, 0, 0 }, {}, tonumber(ARGV[3])
for number = last + 1, math.min(batch.count, last + ARGV[4]) do numbers[#numbers + 1] = number end
last = last + #numbers
if #numbers > 0 then
  for _, row in ipairs(redis.call('HMGET', base .. 'family-jobs:' .. batch.name, unpack(numbers))) do
    -- What it is to be added with is nobody's to know.
    if row then answer[#answer + 1] = string.match(row, '^%S+ %S+ %+') or row end
  end
end
answer[3] = math.max(0, moved_of(ARGV[1], batch.name) - tonumber(ARGV[3]))
if last < batch.count then
  answer[1], answer[2] = tonumber(ARGV[2]), last
elseif batches[ARGV[2] + 1] then
  answer[1] = ARGV[2] + 1
end
return answer
