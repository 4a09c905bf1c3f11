-- Brings children that simply go to the tail of their queue. Last part.
--
-- KEYS  1 workers
-- ARGV  1 batch  2 queue and family of their parent, with a space between  3 in the server's ms: later they are not brought any more  then for each: number, element
-- RETURN  the numbers of those that were added, or nil when it is too late

if comes_too_late(ARGV[3]) then return false end
local batch = ARGV[1]
local numbers, fresh, elements, again = {}, {}, {}, {}
for index = 4, #ARGV, 2 do numbers[#numbers + 1] = ARGV[index] end
local known = redis.call('HMGET', base .. 'family-children:' .. batch, unpack(numbers))
for index, number in ipairs(numbers) do
  if not known[index] then
    fresh[#fresh + 1] = number
    elements[#elements + 1] = ARGV[3 + 2 * index]
  elseif known[index] ~= '' then
    again[#again + 1] = number
  end
end
if #again > 0 then owe(batch, again) end
if #fresh > 0 then
  note_come(batch, fresh, ARGV[2])
  redis.call('LPUSH', base .. 'waiting', unpack(elements))
end
return fresh
