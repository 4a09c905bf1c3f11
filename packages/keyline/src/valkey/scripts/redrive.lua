-- Puts dead letters back on the queue, oldest first, with their attempts at zero. One that cannot be read stays a dead letter.
--
-- KEYS  1 dead  2 waiting
-- ARGV  1 how many at the most
-- RETURN  how many were put back

local moved = 0
for _, letter in ipairs(redis.call('RPOP', KEYS[1], ARGV[1]) or {}) do
  local is_read, content = pcall(cjson.decode, letter)
  local element = is_read and type(content) == 'table' and content.element
  if type(element) == 'string' then
    element = string.gsub(element, '^{"attempts":%d+,', '{', 1)
    redis.call('LPUSH', KEYS[2], element)
    moved = moved + 1
  else
    redis.call('LPUSH', KEYS[1], letter)
  end
end
return moved
