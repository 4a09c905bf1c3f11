-- Brings older entries from the record to a group that is behind what the stream keeps on Valkey.
--
-- KEYS  1 backlog  2 state of the group  3 state of the stream
-- ARGV  1 group  2 the id after which these come, '' to ask only  3 most entries to hold  4 values of each: 3 (id, key or '', data) or 4 (and its trace or '')
--       5 and on: those of each
-- RETURNS  { the last id that is there, how many more it may be given, 1 when all that follows is in the stream }, or nil when the group does
--       not read its backlog

if redis.call('HGET', KEYS[2], 'mode') ~= 'backlog' then return false end
-- Where the backlog is gone it is filled anew.
if redis.pcall('XGROUP', 'CREATE', KEYS[1], ARGV[1], '0-0', 'MKSTREAM').ok then redis.call('HDEL', KEYS[2], 'filled') end
local last = redis.call('HGET', KEYS[2], 'filled') or redis.call('HGET', KEYS[2], 'cursor')
if ARGV[2] == last then
  local width = tonumber(ARGV[4])
  for i = 5, #ARGV, width do
    if width == 4 and ARGV[i + 3] ~= '' then
      redis.call('XADD', KEYS[1], ARGV[i], 'data', ARGV[i + 2], 'trace', ARGV[i + 3], unpack(ARGV[i + 1] ~= '' and { 'key', ARGV[i + 1] } or {}))
    elseif ARGV[i + 1] == '' then
      redis.call('XADD', KEYS[1], ARGV[i], 'data', ARGV[i + 2])
    else
      redis.call('XADD', KEYS[1], ARGV[i], 'key', ARGV[i + 1], 'data', ARGV[i + 2])
    end
    last = ARGV[i]
  end
  redis.call('HSET', KEYS[2], 'filled', last)
end

-- What is finished goes.
local group = {}
for _, reply in ipairs(redis.call('XINFO', 'GROUPS', KEYS[1])) do
  for i = 1, #reply, 2 do group[reply[i]] = reply[i + 1] end
end
local first = redis.call('XPENDING', KEYS[1], ARGV[1])[2]
if first then
  redis.call('XTRIM', KEYS[1], 'MINID', first)
  -- Behind one that takes long, too: its place must not keep the group from everything else.
  if redis.call('XLEN', KEYS[1]) * 2 > tonumber(ARGV[3]) then
    for _, entry in ipairs(redis.call('XRANGE', KEYS[1], first, group['last-delivered-id'], 'COUNT', ARGV[3])) do
      if not redis.call('XPENDING', KEYS[1], ARGV[1], entry[1], entry[1], 1)[1] then redis.call('XDEL', KEYS[1], entry[1]) end
    end
  end
else
  redis.call('XTRIM', KEYS[1], 'MINID', group['last-delivered-id'])
  redis.call('XDEL', KEYS[1], group['last-delivered-id'])
end
local stream = redis.call('HMGET', KEYS[3], 'last', 'trimmed')
local has_reached = stream[1] and not is_before(last, stream[2])
return { last, math.max(0, tonumber(ARGV[3]) - redis.call('XLEN', KEYS[1])), has_reached and 1 or 0 }
