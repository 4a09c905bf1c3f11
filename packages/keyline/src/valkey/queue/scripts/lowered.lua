-- Part of the scripts that set gates: notes that fewer jobs of a group may run at a time than before. More of it may have been let in, so takes look at each (take-gated.lua), until
-- somebody has seen that there is no such group (admit.lua), or no group at all. The number is another one with each time, so that whoever looked before does not take it away.

local function note_lowered(before)
  if tonumber(redis.call('HGET', base .. 'gates', 'group.concurrency') or 1) < before then
    redis.call('HINCRBY', base .. 'gates', 'group.lowered', 1)
  end
end
