-- How a group stands.
--
-- KEYS  1 events  2 log  3 consumers  4 again  5 texts of again  6 dead  7 state  8 groups
-- ARGV  1 group
-- RETURNS  nil when there is no such group, else { pending on the log, the first of them or '', its cursor, the lag as the server knows it or
--       -1, length of the log, its first id or '', entries in again, the earliest of them or '', dead letters, lost, consumers whose lease goes
--       on, when it was last seen or '', the mode, up to where the backlog was filled or '', the newest id of the log }

local group = {}
local groups = redis.pcall('XINFO', 'GROUPS', KEYS[2])
for i = 1, groups.err and 0 or #groups do
  local info = {}
  for j = 1, #groups[i], 2 do info[groups[i][j]] = groups[i][j + 1] end
  if info.name == ARGV[1] then group = info end
end
local seen = redis.call('HGET', KEYS[8], ARGV[1])
if not group.name and not seen then return false end

local first_pending, first_again, first = '', '', ''
if group.pending and group.pending > 0 then first_pending = redis.call('XPENDING', KEYS[2], ARGV[1])[2] end
first_again = first_of_again(KEYS[4], KEYS[5], '0-0') or ''
local oldest = redis.call('XRANGE', KEYS[2], '-', '+', 'COUNT', 1)[1]
if oldest then first = oldest[1] end
local state = redis.call('HMGET', KEYS[7], 'lost', 'mode', 'filled', 'cursor')
return {
  group.pending or 0, first_pending, group['last-delivered-id'] or '0-0', group.lag or -1, redis.call('XLEN', KEYS[2]), first,
  redis.call('ZCARD', KEYS[4]), first_again, redis.call('LLEN', KEYS[6]) + redis.call('ZCARD', KEYS[6] .. ':order'), tonumber(state[1] or '0'),
  redis.call('ZCOUNT', KEYS[3], '(' .. string.format('%.0f', now_ms()), '+inf'), seen or '', state[2] or '', state[3] or state[4] or '', newest_id(KEYS[2])
}
