#!lua flags=allow-oom
-- Prelude of the scripts that end an attempt: they can only do so while the job is in the worker's held list.
--
-- A job is named by its place in the list and by the text its element begins with (its id), so that the element itself
-- need not be sent back. The place is a hint: the text decides.
--
-- Workers go on where memory has run out (allow-oom): they are who frees it.

local function begins_with(element, text)
  return element and string.sub(element, 1, #text) == text
end

-- The place where the job really is, and its element; nothing when the worker does not hold it.
local function find(held, place, text)
  local element = redis.call('LINDEX', held, place)
  if begins_with(element, text) then return place, element end
  for index, candidate in ipairs(redis.call('LRANGE', held, 0, -1)) do
    if begins_with(candidate, text) then return index - 1, candidate end
  end
end

local function remove(held, place)
  -- A list has no removal by place: name the place by a text that no element has, then remove that text.
  redis.call('LSET', held, place, '\0released')
  redis.call('LREM', held, 1, '\0released')
end
