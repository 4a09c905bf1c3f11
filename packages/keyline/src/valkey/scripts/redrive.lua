-- Puts dead letters back on the queue, oldest first, with their attempts at zero.
--
-- KEYS  1 dead  2 waiting
-- ARGV  1 how many at the most
-- RETURN  how many were put back

local letters = redis.call('RPOP', KEYS[1], ARGV[1])
if not letters then return 0 end
for _, letter in ipairs(letters) do
  local element = cjson.decode(letter).element
  element = string.gsub(element, '^{"attempts":%d+,', '{', 1)
  redis.call('LPUSH', KEYS[2], element)
end
return #letters
