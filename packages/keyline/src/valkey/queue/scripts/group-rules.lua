-- Part of the scripts that set gates: what follows from a change of what groups may do.
--
-- Fewer jobs of a group may run at a time than before: more of it may have been let in, so takes look at each (take-gated.lua), until somebody has seen that there is no such group
-- (admit.lua), or no group at all. The number in `group.lowered` is another one with each time, so that whoever looked before does not take it away.
--
-- Another rate: jobs that rest because of the one before (sorted set rested: element -> until when) are looked at again at once.

local function group_rules()
  local found = redis.call('HMGET', base .. 'gates', 'group.concurrency', 'group.rate.max', 'group.rate.per')
  return { concurrency = tonumber(found[1] or 1), rate = (found[2] or '') .. ' ' .. (found[3] or '') }
end

local function follow_group_rules(before)
  local after = group_rules()
  if after.concurrency < before.concurrency then redis.call('HINCRBY', base .. 'gates', 'group.lowered', 1) end
  if after.rate == before.rate then return end
  for _, element in ipairs(redis.call('ZRANGE', base .. 'rested', now(), '+inf', 'BYSCORE')) do
    if redis.call('ZADD', base .. 'scheduled', 'XX', 'CH', now(), element) == 1 then is_earliest = true end
  end
  redis.call('DEL', base .. 'rested')
end
