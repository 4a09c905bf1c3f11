-- Reads children that have ended and whose parents are to be told.
--
-- KEYS  1 workers
-- ARGV  1 of how many batches at the most  2 about how many children of each
-- RETURN  for each batch: its name, queue and family of the parent, numbers, separated by spaces

local answer = {}
for _, batch in ipairs(redis.call('SRANDMEMBER', base .. 'family-owing', ARGV[1])) do
  local numbers = redis.call('SSCAN', base .. 'family-owed:' .. batch, 0, 'COUNT', ARGV[2])[2]
  local of = redis.call('HGET', base .. 'family-children:' .. batch, 'of')
  if of and #numbers > 0 then
    answer[#answer + 1] = batch
    answer[#answer + 1] = of
    answer[#answer + 1] = table.concat(numbers, ' ')
  else
    redis.call('SREM', base .. 'family-owing', batch)
  end
end
return answer
