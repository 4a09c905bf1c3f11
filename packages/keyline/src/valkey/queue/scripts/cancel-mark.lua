-- Marks jobs as cancelled, and tells all workers where they do not know yet that there are marks. Last part.
--
-- KEYS  1 workers
-- ARGV  1 kind  2 tag of the call  3... ids
-- RETURN  1 when workers have to look at the gates first

local is_new = redis.call('HINCRBY', base .. 'gates', 'cancels', 1) == 1
for index = 3, #ARGV do
  local _, _, tag, worker = mark_of(ARGV[index])
  -- One that a worker was seen to hold is to end there. One that has ended since this call marked it first is to be told so.
  if not worker or worker == '' or (worker == '-' and tag ~= ARGV[2]) then
    redis.call('HSET', base .. 'cancelled', ARGV[index], ARGV[1] .. ' ' .. string.format('%.0f', now()) .. ' ' .. ARGV[2])
  end
end
if is_new then
  redis.call('DEL', base .. 'gated')
  signal('gates')
end
signal('cancel')
return is_new and 1 or 0
