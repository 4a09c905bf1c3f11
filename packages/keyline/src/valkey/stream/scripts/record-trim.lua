-- Drops the oldest entries of a transactional stream from Valkey. A group that has not finished them is detached first, and goes on with
-- them from the record.
--
-- KEYS  events, state
-- ARGV  most entries, oldest age in ms (-1: no limit), prefix of the groups' keys, most entries to drop at once
-- Returns how many entries were dropped
local state = redis.call('HMGET', KEYS[2], 'last', 'trimmed', 'length')
-- What somebody deleted from, or wrote into, is begun anew first.
if not state[1] or not is_whole_record(KEYS[1], newest_id(KEYS[1]), state[1], state[2], state[3]) then return 0 end
local now = now_ms()
local most, age = tonumber(ARGV[1]), tonumber(ARGV[2])
local length = redis.call('XLEN', KEYS[1])
local oldest = redis.call('XRANGE', KEYS[1], '-', '+', 'COUNT', ARGV[4])
local dropped = 0
for place, entry in ipairs(oldest) do
  local ms = tonumber(string.match(entry[1], '%d+'))
  if not ((most >= 0 and place <= length - most) or (age >= 0 and ms < now - age)) then break end
  dropped = place
end
if dropped == 0 then return 0 end
local last = oldest[dropped][1]
for _, reply in ipairs(redis.call('XINFO', 'GROUPS', KEYS[1])) do
  local group = {}
  for i = 1, #reply, 2 do group[reply[i]] = reply[i + 1] end
  local first_pending = group.pending > 0 and redis.call('XPENDING', KEYS[1], group.name, '-', '+', 1)[1][1]
  local is_behind = is_before(group['last-delivered-id'], last) or (first_pending and not is_before(last, first_pending))
  if is_behind then detach_group(KEYS[1], group.name, ARGV[3] .. group.name .. ':', now) end
end
redis.call('XTRIM', KEYS[1], 'MAXLEN', '=', length - dropped)
redis.call('HSET', KEYS[2], 'trimmed', last, 'length', length - dropped)
return dropped
