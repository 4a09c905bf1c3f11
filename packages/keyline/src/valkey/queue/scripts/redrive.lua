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

local letters = redis.call('RPOP', KEYS[1], ARGV[1]) or {}
local moved = 0
for _, letter in ipairs(letters) do
  local element = decode(letter).element
  if type(element) == 'string' and is_free(element) then
    redis.call('LPUSH', KEYS[2], (string.gsub(element, '^{"attempts":%d+,', '{', 1)))
    moved = moved + 1
  else
    redis.call('LPUSH', KEYS[1], letter)
  end
end
return { #letters, moved }
