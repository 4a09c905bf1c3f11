-- Prelude, behind group-again.lua: takes a group off the stream, because entries that it needs are about to leave Valkey. What is pending
-- stays with the group, with its data; the consumers that run it say so when they attach anew. From now on the group reads its backlog,
-- which is filled from the record after `cursor`.
--
-- `base` is the beginning of the group's keys. Is done in the script that trims, so that nobody takes an entry in between.
local function detach_group(events, group, base, now)
  local place = { log = events, group = group, again = base .. 'again', entries = base .. 'again:entries', line_prefix = base .. 'line:' }
  local cursor = '0-0'
  for _, reply in ipairs(redis.call('XINFO', 'GROUPS', events)) do
    local info = {}
    for i = 1, #reply, 2 do info[reply[i]] = reply[i + 1] end
    if info.name == group then cursor = info['last-delivered-id'] end
  end
  local start = '-'
  while start do
    local pending = redis.call('XPENDING', events, group, start, '+', 1000)
    start = nil
    for _, entry in ipairs(pending) do
      -- Not at once: who runs it now keeps it.
      local lease = tonumber(redis.call('ZSCORE', base .. 'consumers', entry[2]) or 0)
      move_to_again(place, entry[1], 0, math.max(now + 30000, lease))
      start = behind(entry[1])
    end
  end
  redis.call('HSET', base .. 'state', 'mode', 'backlog', 'cursor', cursor)
  redis.call('HDEL', base .. 'state', 'filled')
  redis.call('DEL', base .. 'backlog')
  redis.call('XGROUP', 'DESTROY', events, group)
end
