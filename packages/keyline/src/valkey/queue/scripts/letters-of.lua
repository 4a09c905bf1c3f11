-- The dead letters of some ids, without the jobs themselves. An id that a caller chose may have several: it can be added again after each.
--
-- KEYS  1 dead
-- ARGV  1 page  2 the letter of the first id behind which to go on, or ''  3 and on: ids
-- RETURN  { how many of the ids are done, then for each letter: key, why it is dead }

local limit = tonumber(ARGV[1])
local answer = { 0 }
for index = 3, #ARGV do
  local id = ARGV[index]
  local first = index == 3 and ARGV[2] ~= '' and '(' .. ARGV[2] or '[' .. id .. '\31'
  local keys = redis.call('ZRANGE', KEYS[1] .. ':ids', first, '(' .. id .. '\32', 'BYLEX', 'LIMIT', 0, limit)
  for _, key in ipairs(keys) do
    answer[#answer + 1] = key
    answer[#answer + 1] = redis.call('HGET', KEYS[1] .. ':why', key) or ''
  end
  limit = limit - #keys
  if limit == 0 then break end
  answer[1] = answer[1] + 1
end
return answer
