-- Marks those jobs of a page of a held list that are cancelled with the worker that holds them, and tells it. Last part.
--
-- KEYS  1 workers
-- ARGV  1 worker  2 from  3 how many at the most  4 kind  5 tag of the call
--       then names and values of what they are: see look.lua
-- RETURN  { from where the next page goes on or -1, ids ... }

local place = 'held:' .. ARGV[1]
local from = tonumber(ARGV[2])
local page, is_end = read_page(place, from, tonumber(ARGV[3]))
local fits = filter_from(6)
local answer = { is_end and -1 or next_of(place, from, #page) }
for _, element in ipairs(page) do
  local id = fits(element)
  if id then
    redis.call('HSET', base .. 'cancelled', id, ARGV[4] .. ' ' .. string.format('%.0f', now()) .. ' ' .. ARGV[5] .. ' ' .. ARGV[1])
    if ARGV[4] == 'row' then tell_cancelled(id) end
    answer[#answer + 1] = id
  end
end
if #answer > 1 then
  redis.call('HSETNX', base .. 'gates', 'cancels', 1)
  signal('cancel')
end
return answer
