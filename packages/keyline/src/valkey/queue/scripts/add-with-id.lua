-- Adds jobs with ids that their caller chose, but those whose id is still known.
--
-- KEYS  1 ids  2 waiting
-- ARGV  for each: id, element
-- RETURN  for each: 1 added, 0 known

local answer = {}
for index = 1, #ARGV, 2 do
  local is_new = redis.call('SADD', KEYS[1], ARGV[index])
  if is_new == 1 then
    local pushed = redis.pcall('LPUSH', KEYS[2], ARGV[index + 1])
    if type(pushed) == 'table' then
      redis.call('SREM', KEYS[1], ARGV[index])
      return pushed
    end
  end
  answer[#answer + 1] = is_new
end
return answer
