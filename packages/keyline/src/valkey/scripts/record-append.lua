-- Brings events of the record to the stream of a transactional one, in their order and without holes: only from where it ends.
--
-- KEYS  events, state, foreign
-- ARGV  the event before the first of these, or '' to ask only; where to begin when the stream is not there, or ''; prefix of the
--       groups' keys; then id, key or '' and data of each event
-- Returns the newest event of the record that is there then ('' when the stream is not there), and how many foreign entries were
-- taken out
local newest = newest_id(KEYS[1])
local last = redis.call('HGET', KEYS[2], 'last')
if last and newest == '0-0' and last == redis.call('HGET', KEYS[2], 'trimmed') then
  -- Just begun: nothing is there yet.
  newest = last
elseif last and is_before(newest, last) then
  -- Deleted by hand, or older than its state: what is there is of the record still.
  last = newest ~= '0-0' and newest or false
end

-- Somebody else's entries have no place in the record, and their ids would keep out what has: the stream is begun anew without them.
-- Groups are detached, and come back when they have read what they missed from the record.
local moved = 0
if newest ~= '0-0' and is_before(last or '0-0', newest) then
  local now = now_ms()
  for _, reply in ipairs(redis.call('XINFO', 'GROUPS', KEYS[1])) do
    local group = {}
    for i = 1, #reply, 2 do group[reply[i]] = reply[i + 1] end
    if is_before(last or '0-0', group['last-delivered-id']) then redis.call('XGROUP', 'SETID', KEYS[1], group.name, last or '0-0') end
    detach_group(KEYS[1], group.name, ARGV[3] .. group.name .. ':', now)
  end
  for _, entry in ipairs(redis.call('XRANGE', KEYS[1], last and '(' .. last or '-', '+')) do
    redis.call('LPUSH', KEYS[3], cjson.encode(entry))
    moved = moved + 1
  end
  redis.call('LTRIM', KEYS[3], 0, 999)
  redis.call('DEL', KEYS[1], KEYS[2])
  last = false
end
if not last and ARGV[2] ~= '' then
  redis.call('DEL', KEYS[2])
  open_state(KEYS[2], KEYS[1])
  redis.call('HSET', KEYS[2], 'trimmed', ARGV[2])
  last = ARGV[2]
end
if not last then return { '', moved } end
if ARGV[1] ~= '' and not is_before(last, ARGV[1]) then
  for i = 4, #ARGV, 3 do
    if is_before(last, ARGV[i]) then
      if ARGV[i + 1] == '' then
        redis.call('XADD', KEYS[1], ARGV[i], 'data', ARGV[i + 2])
      else
        redis.call('XADD', KEYS[1], ARGV[i], 'data', ARGV[i + 2], 'key', ARGV[i + 1])
      end
      last = ARGV[i]
    end
  end
end
redis.call('HSET', KEYS[2], 'last', last)
return { last, moved }
