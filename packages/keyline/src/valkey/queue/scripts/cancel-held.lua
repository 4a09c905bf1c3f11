-- Marks those jobs of a page of a held list that are cancelled with the worker that holds them, and tells it. Last part.
--
-- KEYS  1 workers
-- ARGV  1 worker  2 from, '' to begin with  3 how many at the most  4 kind  5 tag of the call
--       then names and values of what they are: see look.lua
-- RETURN  { from where the next page goes on or '', ids ... }

local members, next_from = read_page('held:' .. ARGV[1], ARGV[2], tonumber(ARGV[3]), math.huge)
local fits = filter_from(6)
local answer = { type(next_from) == 'number' and string.format('%.0f', next_from) or next_from }
for _, member in ipairs(members) do
  local id = fits(member)
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
