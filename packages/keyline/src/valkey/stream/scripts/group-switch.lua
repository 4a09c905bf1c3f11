-- Has a group read the stream again, when its backlog has reached what the stream keeps on Valkey and was handed out to the end.
--
-- KEYS  1 backlog  2 state of the group  3 events  4 state of the stream  5 again  6 texts of again  7 consumers
-- ARGV  1 group  2 prefix of the lines
-- RETURNS  1 when it does now, else 0

local state = redis.call('HMGET', KEYS[2], 'mode', 'cursor', 'filled')
if state[1] ~= 'backlog' then return 0 end
local last = state[3] or state[2]
local stream = redis.call('HMGET', KEYS[4], 'last', 'trimmed')
if not stream[1] or is_before(last, stream[2]) then return 0 end
local group = {}
local groups = redis.pcall('XINFO', 'GROUPS', KEYS[1])
for i = 1, groups.err and 0 or #groups do
  for j = 1, #groups[i], 2 do group[groups[i][j]] = groups[i][j + 1] end
end
if state[3] and is_before(group['last-delivered-id'] or '0-0', last) then return 0 end

local place = { log = KEYS[1], again = KEYS[5], entries = KEYS[6], group = ARGV[1], line_prefix = ARGV[2] }
local now = now_ms()
while group.name do
  local pending = redis.call('XPENDING', KEYS[1], ARGV[1], '-', '+', 1000)
  if #pending == 0 then break end
  -- Not at once: who runs it now keeps it.
  for _, entry in ipairs(pending) do
    local lease = tonumber(redis.call('ZSCORE', KEYS[7], entry[2]) or 0)
    move_to_again(place, entry[1], 0, math.max(now + 30000, lease))
  end
end
redis.pcall('XGROUP', 'DESTROY', KEYS[3], ARGV[1])
redis.call('XGROUP', 'CREATE', KEYS[3], ARGV[1], last, 'MKSTREAM')
redis.call('HDEL', KEYS[2], 'mode', 'cursor', 'filled')
redis.call('DEL', KEYS[1])
return 1
