-- Makes a group on the stream, if it is not there.
--
-- KEYS  1 events  2 state of the stream  3 groups  4 state of the group  5 backlog
-- ARGV  1 group  2 the id after which a new group begins, or '$' for the end
-- RETURNS  { the mode: '' or 'backlog', 1 when the group was made now }

open_state(KEYS[2], KEYS[1])
redis.call('HSET', KEYS[3], ARGV[1], string.format('%.0f', now_ms()))
if redis.call('HGET', KEYS[4], 'mode') == 'backlog' then
  local made = redis.pcall('XGROUP', 'CREATE', KEYS[5], ARGV[1], '0-0', 'MKSTREAM')
  return { 'backlog', made.ok and 1 or 0 }
end
if not redis.pcall('XPENDING', KEYS[1], ARGV[1]).err then return { '', 0 } end

local start = ARGV[2]
local trimmed = redis.call('HGET', KEYS[2], 'trimmed')
-- Of a transactional stream what was trimmed is in the record.
if redis.call('HEXISTS', KEYS[2], 'last') == 1 and start ~= '$' and is_before(start, trimmed) then
  redis.call('HSET', KEYS[4], 'mode', 'backlog', 'cursor', start)
  redis.pcall('XGROUP', 'CREATE', KEYS[5], ARGV[1], '0-0', 'MKSTREAM')
  return { 'backlog', 1 }
end
local added, length = 0, 0
local stream = redis.pcall('XINFO', 'STREAM', KEYS[1])
for i = 1, stream.err and 0 or #stream, 2 do
  if stream[i] == 'entries-added' then added = stream[i + 1] elseif stream[i] == 'length' then length = stream[i + 1] end
end
-- With the right count the server knows the lag without counting.
local options = {}
if start == '0-0' then options = { 'ENTRIESREAD', added - length } elseif start == '$' then options = { 'ENTRIESREAD', added } end
redis.call('XGROUP', 'CREATE', KEYS[1], ARGV[1], start, 'MKSTREAM', unpack(options))
return { '', 1 }
