-- The dead letters of some ids, without the jobs themselves. An id that a caller chose may have several: it can be added again after each.
--
-- KEYS  1 dead
-- ARGV  1 how many of an id at the most, then the ids
-- RETURN  for each: key, why it is dead

local answer = {}
for index = 2, #ARGV do
  local id = ARGV[index]
  for _, key in ipairs(redis.call('ZRANGE', KEYS[1] .. ':ids', '[' .. id .. '\31', '(' .. id .. '\32', 'BYLEX', 'LIMIT', 0, ARGV[1])) do
    answer[#answer + 1] = key
    answer[#answer + 1] = redis.call('HGET', KEYS[1] .. ':why', key) or ''
  end
end
return answer
