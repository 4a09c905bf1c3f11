-- Reads a page of what became of jobs.
--
-- KEYS  1 workers
-- ARGV  1 period and  2 number of the first one asked for, '' and '' for the beginning of what is kept, '' and '+' for the end  3 page
-- RETURN  { the present period or '', how many it has, the one before it, why it began, entries }

local state = redis.call('HMGET', base .. 'feed:state', 'period', 'before', 'why')
local last = redis.call('XREVRANGE', base .. 'feed', '+', '-', 'COUNT', 1)[1]
local count = 0
if state[1] and last then
  local period, number = string.match(last[1], '^(%d+)%-(%d+)$')
  if period == state[1] then count = number + 1 end
end
local entries = {}
if ARGV[1] ~= '' then
  entries = redis.call('XRANGE', base .. 'feed', ARGV[1] .. '-' .. ARGV[2], '+', 'COUNT', ARGV[3])
elseif ARGV[2] == '' then
  entries = redis.call('XRANGE', base .. 'feed', '-', '+', 'COUNT', ARGV[3])
end
return { state[1] or '', count, state[2] or '', state[3] or '', entries }
