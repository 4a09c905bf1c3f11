-- Whether a parent has what it waits for.
--
-- KEYS  1 workers
-- ARGV  1 family
-- RETURN  'open', 'done', or why it is to die behind 'dead '

local state = redis.call('HMGET', base .. 'family:' .. ARGV[1], 'open', 'dead')
if state[2] then return 'dead ' .. state[2] end
return tonumber(state[1] or 0) > 0 and 'open' or 'done'
