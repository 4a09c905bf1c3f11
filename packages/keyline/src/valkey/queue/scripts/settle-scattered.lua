-- Settles jobs wherever they are in the held list, loosens what they were tied to (loosen.lua) and takes as many as there is room for
-- (take.lua), in one step.
--
-- KEYS  1 workers  2 held list of the worker  3 waiting
-- ARGV  1 worker  2 how many to take  3 how many have finished
--       then for each of them: place in the held list, which is one less for each before it that was in front of it, and text its element begins with
--       then what they are tied to: see loosen.lua
-- RETURN  0 when the worker's lease is lost, else the elements taken; before them, when some of the finished were not held any
--         more, a list of their numbers (from 1)

if not redis.call('ZSCORE', KEYS[1], ARGV[1]) then return 0 end

local held = KEYS[2]
local finished = tonumber(ARGV[3])
local ties_at = 4 + 2 * finished
local missing, removed = {}, {}
for number = 1, finished do
  local place, element = find(held, ARGV[2 + 2 * number], ARGV[3 + 2 * number])
  if place then
    remove(held, place)
    removed[#removed + 1] = element
  else
    missing[#missing + 1] = number
  end
end

-- They are held again, wherever: the worker looks.
local function undo()
  for _, element in ipairs(removed) do redis.call('RPUSH', held, element) end
end
