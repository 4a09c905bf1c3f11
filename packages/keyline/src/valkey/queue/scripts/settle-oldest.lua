#!lua flags=allow-oom
-- Settles the jobs that are held longest, loosens what they were tied to (loosen.lua) and takes as many as there is room for (take.lua), in
-- one step.
--
-- KEYS  1 workers  2 held list of the worker  3 waiting
-- ARGV  1 worker  2 how many to take  3 how many have finished: they are the oldest held, in their order
--       then, if any, the text that the element of the first of them begins with
--       then, if there are more, that of the last
--       then what they are tied to: see loosen.lua
-- RETURN  0 when the worker's lease is lost, -1 when the oldest held are others (nothing was done), else the elements taken

local held = KEYS[2]
local finished = tonumber(ARGV[3])
local ties_at = 4 + math.min(finished, 2)
local missing = {}
local undo

local function is_at(place, text)
  local element = redis.call('LINDEX', held, place)
  return element and string.sub(element, 1, #text) == text
end

-- The list is the worker's alone and it knows the order: when both ends are where it expects them, so is what lies between, which is not read, as the
-- language works on every byte of what it reads. What is still in the list is still the worker's: there is no need to ask for its lease.
if finished == 0 then
  if not redis.call('ZSCORE', KEYS[1], ARGV[1]) then return 0 end
elseif not is_at(0, ARGV[4]) or (finished > 1 and not is_at(finished - 1, ARGV[5])) then
  return redis.call('ZSCORE', KEYS[1], ARGV[1]) and -1 or 0
end
