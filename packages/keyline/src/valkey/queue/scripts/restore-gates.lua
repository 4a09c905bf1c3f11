-- Makes the gates what the record says, unless they are so already or newer, and tells all workers.
--
-- KEYS  1 workers
-- ARGV  1 revision  2 how many names and values follow, then these, then the groups that are paused
-- RETURN  1, or 0 when nothing was done

local present = redis.call('HMGET', base .. 'gates', 'revision', 'priorities')
if present[1] and tonumber(present[1]) >= tonumber(ARGV[1]) then return 0 end
local was_paused = redis.call('SMEMBERS', base .. 'paused')
local before = group_rules()
redis.call('HSET', base .. 'gates', 'revision', ARGV[1])
for _, name in ipairs(redis.call('HKEYS', base .. 'gates')) do
  if name ~= 'revision' and name ~= 'priorities' and name ~= 'cancels' and name ~= 'group.lowered' then redis.call('HDEL', base .. 'gates', name) end
end
for index = 3, 2 + ARGV[2], 2 do redis.call('HSET', base .. 'gates', ARGV[index], ARGV[index + 1]) end
follow_group_rules(before)
redis.call('DEL', base .. 'paused', base .. 'gated')
local paused = 0
for index = 3 + ARGV[2], #ARGV do paused = paused + redis.call('SADD', base .. 'paused', ARGV[index]) end
if paused > 0 then redis.call('HSET', base .. 'gates', 'paused.groups', paused) end
signal('gates')
for _, group in ipairs(was_paused) do admit_next(group) end
placed()
return 1
