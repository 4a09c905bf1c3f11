-- Puts dead letters back on the queue, oldest first, with their attempts at zero. One that cannot be read stays a dead letter, and so
-- does one with an id of its caller's that is known again: another job has it by now.
--
-- KEYS  1 dead  2 waiting  3 ids
-- ARGV  1 how many at the most
-- RETURN  { how many it looked at, how many of them it put back }

local function decode(text)
  local is_read, content = pcall(cjson.decode, text)
  return is_read and type(content) == 'table' and content or {}
end

local function is_free(element)
  local fields = decode(element)
  if fields.ownId ~= true then return true end
  return redis.call('SADD', KEYS[3], tostring(fields.id)) == 1
end

local looked, moved = 0, 0
while looked < tonumber(ARGV[1]) do
  local letter = redis.call('LINDEX', KEYS[1], -1)
  if not letter then break end
  looked = looked + 1
  local element = decode(letter).element
  if type(element) == 'string' and is_free(element) then
    -- In this order: one that is refused stays where it is.
    redis.call('LPUSH', KEYS[2], (string.gsub(element, '^{"attempts":%d+,', '{', 1)))
    redis.call('RPOP', KEYS[1])
    moved = moved + 1
  else
    redis.call('LMOVE', KEYS[1], KEYS[1], 'RIGHT', 'LEFT')
  end
end
return { looked, moved }
