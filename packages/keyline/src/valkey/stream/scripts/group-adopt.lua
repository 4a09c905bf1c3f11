-- Keeps entries with the consumer that runs them, which were moved to `again` because the group reads elsewhere now.
--
-- KEYS  1 again  2 texts of again
-- ARGV  1 consumer  2 lease in milliseconds  3 and on: ids that it runs for the first time
-- RETURNS  how many there were

local until_ms = now_ms() + tonumber(ARGV[2])
local adopted = 0
for i = 3, #ARGV do
  local text = redis.call('HGET', KEYS[2], ARGV[i])
  local attempts, by, rest = again_parts(text or '')
  if by == '' and attempts == 0 then
    redis.call('HSET', KEYS[2], ARGV[i], again_head(1, ARGV[1]) .. rest)
    redis.call('ZADD', KEYS[1], until_ms, ARGV[i])
    adopted = adopted + 1
  end
end
return adopted
