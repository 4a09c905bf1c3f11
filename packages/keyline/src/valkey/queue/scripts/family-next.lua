-- Notes that children were brought to their queues, and reads the next ones that are to be. Last part.
--
-- KEYS  1 workers
-- ARGV  1 family  2 epochs of its queues as they were before  3 batch of those that were brought, or ''  4 from  5 up to this number
--       6 how many at the most  7 a batch whose rows are not read, as whoever asks has them, or ''
-- RETURN  { 0 } when there is nothing more to bring, else { 1, batch, the number before the first, how many, row or '' for one that has ended, ... }
--
-- Where a server may have forgotten something since they were brought all that have not ended are brought anew: those that are still there are not added again.

local family = ARGV[1]
local key = base .. 'family:' .. family
local state = redis.call('HMGET', key, 'batches', 'ended', 'epochs')
if not state[1] or state[2] == 'cancelled' then return { 0 } end
if state[3] ~= ARGV[2] then
  for _, batch in ipairs(batches_of(family)) do redis.call('HSET', key, 'moved:' .. batch.name, 0) end
  redis.call('HSET', key, 'epochs', ARGV[2])
elseif ARGV[3] ~= '' and moved_of(family, ARGV[3]) == tonumber(ARGV[4]) then
  redis.call('HSET', key, 'moved:' .. ARGV[3], ARGV[5])
end
for _, batch in ipairs(batches_of(family)) do
  local moved = moved_of(family, batch.name)
  if moved < batch.count then
    local count = math.min(batch.count - moved, tonumber(ARGV[6]))
    local answer, numbers = { 1, batch.name, moved, count }, {}
    if ARGV[7] == batch.name then return answer end
    for number = moved + 1, moved + count do numbers[#numbers + 1] = number end
    for index, row in ipairs(redis.call('HMGET', base .. 'family-jobs:' .. batch.name, unpack(numbers))) do
      answer[4 + index] = row and string.find(row, '^%S+ %S+ %+') and row or ''
    end
    return answer
  end
end
return { 0 }
