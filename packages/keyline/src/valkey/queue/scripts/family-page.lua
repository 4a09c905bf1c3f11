-- A page of a parent's children for those who only look: until they are too large for one answer, the first in any case. Last part.
--
-- KEYS  1 workers
-- ARGV  1 family  2 number of the batch, from 1 on  3 number of the child before the first  4 how many at the most
-- RETURN  { batch and number from where the next page goes on, or 0 and 0; then for each '<queue> <id> =<outcome>', or '<queue> <id> +<element up to its data>' }

local batches = batches_of(ARGV[1])
local batch = batches[tonumber(ARGV[2])]
if not batch then return { 0, 0 } end
local key = base .. 'family-jobs:' .. batch.name
local answer, bytes, last = { 0, 0 }, 0, tonumber(ARGV[3])
local stop = math.min(batch.count, last + ARGV[4])
while last < stop do
  bytes = bytes + redis.call('HSTRLEN', key, last + 1)
  if bytes > 262144 and #answer > 2 then break end
  last = last + 1
  local row = redis.call('HGET', key, last)
  if row then
    local head, element = string.match(row, '^(%S+ %S+ %+)[^\n]*\n(.*)$')
    answer[#answer + 1] = head and head .. string.sub(element, 1, (string.find(element, ',"data":', 1, true) or 1) - 1) or row
  end
end
if last < batch.count then
  answer[1], answer[2] = tonumber(ARGV[2]), last
elseif batches[ARGV[2] + 1] then
  answer[1] = ARGV[2] + 1
end
return answer
