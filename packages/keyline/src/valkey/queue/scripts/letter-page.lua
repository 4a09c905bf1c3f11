-- A page of dead letters by their place, without the jobs themselves.
--
-- KEYS  1 dead
-- ARGV  1 first place  2 last place, both as ZRANGE takes them  3 'newest' or 'oldest' first  4 page
-- RETURN  for each: key, why it is dead

local keys
if ARGV[3] == 'newest' then
  keys = redis.call('ZRANGE', KEYS[1], ARGV[2], ARGV[1], 'BYSCORE', 'REV', 'LIMIT', 0, ARGV[4])
else
  keys = redis.call('ZRANGE', KEYS[1], ARGV[1], ARGV[2], 'BYSCORE', 'LIMIT', 0, ARGV[4])
end
local reasons = #keys > 0 and redis.call('HMGET', KEYS[1] .. ':why', unpack(keys)) or {}
local answer = {}
for index, key in ipairs(keys) do
  answer[#answer + 1] = key
  answer[#answer + 1] = reasons[index] or ''
end
return answer
