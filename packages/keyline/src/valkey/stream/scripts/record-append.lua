-- Brings events of the record to the stream of a transactional one, in their order and without holes: only from where it ends.
--
-- KEYS  events, state, foreign
-- ARGV  the event before the first of these, or '' to ask only; where to begin when the stream is not there, or ''; prefix of the
--       groups' keys; '' or an end that the record does not have; values an event has: 3 (id, key or '', data) or 4 (and its trace or ''); then those of each
-- Returns the newest event of the record that is there then ('' when the stream is not there), how many foreign entries were taken
-- out, and 1 when the end of what was there was not in the record, else 0
local before, begin, prefix, unknown = unpack(ARGV, 1, 4)
local newest = newest_id(KEYS[1])
local state = redis.call('HMGET', KEYS[2], 'last', 'trimmed', 'length')
local last = state[1]

-- Nothing comes between two events that follow each other. What is there, then, was appended to a record that had forgotten it when it gave
-- the next positions: PostgreSQL was restored from a backup.
local first = ARGV[6]
local is_unknown = last and (last == unknown or (before ~= '' and first and is_before(before, last) and is_before(last, first)))
local moved = 0
if (last or newest ~= '0-0') and (is_unknown or not (last and is_whole_record(KEYS[1], newest, last, state[2], state[3]))) then
  -- Somebody else's entries have no place in the record, and their ids would keep out what has; what somebody deleted is missing. The
  -- stream is begun anew. Groups are detached, and come back when they have read what they missed from the record.
  local known = is_unknown and before or last or '0-0'
  if redis.call('EXISTS', KEYS[1]) == 1 then
    local now = now_ms()
    for _, reply in ipairs(redis.call('XINFO', 'GROUPS', KEYS[1])) do
      local group = {}
      for i = 1, #reply, 2 do group[reply[i]] = reply[i + 1] end
      if is_before(known, group['last-delivered-id']) then redis.call('XGROUP', 'SETID', KEYS[1], group.name, known) end
      detach_group(KEYS[1], group.name, prefix .. group.name .. ':', now)
    end
    for _, entry in ipairs(redis.call('XRANGE', KEYS[1], '(' .. known, '+')) do
      redis.call('LPUSH', KEYS[3], cjson.encode(entry))
      moved = moved + 1
    end
    redis.call('LTRIM', KEYS[3], 0, 999)
  end
  redis.call('DEL', KEYS[1], KEYS[2])
  last = false
end

local is_changed = false
if not last and begin ~= '' then
  redis.call('DEL', KEYS[2])
  open_state(KEYS[2], KEYS[1])
  redis.call('HSET', KEYS[2], 'trimmed', begin)
  last = begin
  is_changed = true
end
if not last then return { '', moved, is_unknown and 1 or 0 } end
if before ~= '' and not is_before(last, before) then
  local width = tonumber(ARGV[5])
  for i = 6, #ARGV, width do
    if is_before(last, ARGV[i]) then
      if width == 4 and ARGV[i + 3] ~= '' then
        redis.call('XADD', KEYS[1], ARGV[i], 'data', ARGV[i + 2], 'trace', ARGV[i + 3], unpack(ARGV[i + 1] ~= '' and { 'key', ARGV[i + 1] } or {}))
      elseif ARGV[i + 1] == '' then
        redis.call('XADD', KEYS[1], ARGV[i], 'data', ARGV[i + 2])
      else
        redis.call('XADD', KEYS[1], ARGV[i], 'data', ARGV[i + 2], 'key', ARGV[i + 1])
      end
      last = ARGV[i]
      is_changed = true
    end
  end
end
if is_changed then redis.call('HSET', KEYS[2], 'last', last, 'length', redis.call('XLEN', KEYS[1])) end
return { last, moved, is_unknown and 1 or 0 }
