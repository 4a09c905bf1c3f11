-- The families that are to be looked after: for a while nobody else does. Last part.
--
-- KEYS  1 workers
-- ARGV  1 how many at the most  2 for how many milliseconds
-- RETURN  for each: family, its queues, the epochs as of which its children were brought, 1 where some are still to be, how it has ended or '', for how many milliseconds

local answer = {}
for _, family in ipairs(redis.call('ZRANGE', base .. 'families', '-inf', string.format('%.0f', now()), 'BYSCORE', 'LIMIT', 0, ARGV[1])) do
  local state = redis.call('HMGET', base .. 'family:' .. family, 'queues', 'epochs', 'ended', 'ended_at')
  if state[1] then
    local is_owed = 0
    for _, batch in ipairs(batches_of(family)) do
      if moved_of(family, batch.name) < batch.count then is_owed = 1 end
    end
    look_after(family, now() + ARGV[2])
    answer[#answer + 1] = family
    answer[#answer + 1] = state[1]
    answer[#answer + 1] = state[2] or ''
    answer[#answer + 1] = is_owed
    answer[#answer + 1] = state[3] or ''
    answer[#answer + 1] = now() - tonumber(state[4] or 0)
  else
    redis.call('ZREM', base .. 'families', family)
  end
end
return answer
