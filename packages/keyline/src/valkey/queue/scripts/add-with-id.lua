-- Adds jobs with ids that their caller chose, but those whose id is still known.
--
-- KEYS  1 ids  2 waiting
-- ARGV  for each: id, element
-- RETURN  for each: 1 added, 0 known

local answer = {}
for index = 1, #ARGV, 2 do
  local is_new = redis.call('SADD', KEYS[1], ARGV[index])
  if is_new == 1 then redis.call('LPUSH', KEYS[2], ARGV[index + 1]) end
  answer[#answer + 1] = is_new
end
return answer
