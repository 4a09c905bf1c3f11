-- Parents know that these children have ended. That they have come is known for a while longer, as somebody may be about to bring them once more.
--
-- KEYS  1 workers
-- ARGV  for each batch: its name, how many numbers follow, numbers
-- RETURN  OK

local index = 1
while ARGV[index] do
  local batch, last = ARGV[index], index + 1 + ARGV[index + 1]
  local owed, children = base .. 'family-owed:' .. batch, base .. 'family-children:' .. batch
  redis.call('SREM', owed, unpack(ARGV, index + 2, last))
  if redis.call('EXISTS', owed) == 0 then
    redis.call('SREM', base .. 'family-owing', batch)
    if redis.call('HGET', children, 'open') == '0' then redis.call('PEXPIRE', children, 300000) end
  end
  index = last + 1
end
return redis.status_reply('OK')
