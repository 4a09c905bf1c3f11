-- Makes a group on the stream, if it is not there.
--
-- KEYS  1 events  2 state of the stream  3 groups  4 state of the group  5 backlog
-- ARGV  1 group  2 the id after which a new group begins, or '$' for the end  3 '1' on a transactional stream  4 the epoch in which the
--       group was there, '' where that is not known  5 the newest id that was there then
-- RETURNS  { the mode: '' or 'backlog', 1 when the group was made now, the epoch of a plain stream or '' }, or nil while the transactional
--       stream is not there yet, or the group is being reset

local reset = redis.call('HMGET', KEYS[4], 'reset_until', 'reset_to')
if reset[1] then
  if now_ms() < tonumber(reset[1]) then return false end
  redis.call('HDEL', KEYS[4], 'reset', 'reset_until', 'reset_to')
  if reset[2] then
    -- Whoever knows nothing of resets may have made it meanwhile.
    redis.pcall('XGROUP', 'DESTROY', KEYS[1], ARGV[1])
    redis.call('HDEL', KEYS[4], 'mode', 'cursor', 'filled')
    redis.call('DEL', KEYS[5])
  end
end
local epoch = ''
if ARGV[3] ~= '1' then
  open_state(KEYS[2], KEYS[1])
  epoch = redis.call('HGET', KEYS[2], 'epoch')
end
redis.call('HSET', KEYS[3], ARGV[1], string.format('%.0f', now_ms()))
if redis.call('HGET', KEYS[4], 'mode') == 'backlog' then
  local made = redis.pcall('XGROUP', 'CREATE', KEYS[5], ARGV[1], '0-0', 'MKSTREAM')
  if made.ok then
    -- It begins anew, or was lost: behind what the record says.
    redis.call('HDEL', KEYS[4], 'filled')
    if is_before(redis.call('HGET', KEYS[4], 'cursor') or '0-0', ARGV[2]) then redis.call('HSET', KEYS[4], 'cursor', ARGV[2]) end
  end
  return { 'backlog', made.ok and 1 or 0, '' }
end
if not redis.pcall('XPENDING', KEYS[1], ARGV[1]).err then return { '', 0, epoch } end

local start = reset[2] or ARGV[2]
if ARGV[3] == '1' and redis.call('HEXISTS', KEYS[2], 'last') == 0 then return false end
-- What a transactional stream does not keep here is in its record.
if ARGV[3] == '1' and is_before(start, redis.call('HGET', KEYS[2], 'trimmed')) then
  redis.call('HSET', KEYS[4], 'mode', 'backlog', 'cursor', start)
  redis.call('HDEL', KEYS[4], 'filled')
  redis.call('DEL', KEYS[5])
  redis.pcall('XGROUP', 'CREATE', KEYS[5], ARGV[1], '0-0', 'MKSTREAM')
  return { 'backlog', 1, '' }
end
local added, length = 0, 0
local stream = redis.pcall('XINFO', 'STREAM', KEYS[1])
for i = 1, stream.err and 0 or #stream, 2 do
  if stream[i] == 'entries-added' then added = stream[i + 1] elseif stream[i] == 'length' then length = stream[i + 1] end
end
-- Went the group with its stream, all that is there came since: in another epoch, and where what was newest is ahead, or is not there although
-- nothing was ever removed.
local is_gone = ARGV[5] ~= '0-0' and (is_before(newest_id(KEYS[1]), ARGV[5]) or (added == length and #redis.call('XRANGE', KEYS[1], ARGV[5], ARGV[5]) == 0))
if not reset[2] and ARGV[4] ~= '' and (ARGV[4] ~= epoch or is_gone) then start = '0-0' end
-- With the right count the server knows the lag without counting.
local options = {}
if start == '0-0' then options = { 'ENTRIESREAD', added - length } elseif start == '$' then options = { 'ENTRIESREAD', added } end
redis.call('XGROUP', 'CREATE', KEYS[1], ARGV[1], start, 'MKSTREAM', unpack(options))
return { '', 1, epoch }
