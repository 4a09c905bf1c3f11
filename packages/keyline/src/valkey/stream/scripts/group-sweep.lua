-- Looks after lines that stand still: an entry that waits while the first of its line is nowhere, or in no line at all, is due now. It takes
-- lost keys, or a trimmed entry whose consumer died, to bring that about.
--
-- KEYS  1 log  2 consumers  3 again  4 texts of again
-- ARGV  1 group  2 prefix of the lines  3 milliseconds for which a pending entry has to have waited  4 page
-- RETURNS  how many were freed

local place = { log = KEYS[1], again = KEYS[3], entries = KEYS[4], group = ARGV[1], line_prefix = ARGV[2] }
local now = now_ms()
local freed = 0
-- Each sweep goes on where the last one ended.
local state = string.sub(KEYS[3], 1, -6) .. 'state'
local page = tonumber(ARGV[4])
local waiting_from = tonumber(redis.call('HGET', state, 'swept_waiting') or 0)
local pending_from = redis.call('HGET', state, 'swept_pending') or '-'

local function is_anywhere(id)
  return redis.call('HEXISTS', place.entries, id) == 1 or redis.call('XPENDING', place.log, place.group, id, id, 1)[1] ~= nil
end

local function is_free(key, id)
  if not key then return false end
  local line = place.line_prefix .. key
  local first = redis.call('LINDEX', line, 0)
  while first and not is_anywhere(first) do
    redis.call('LPOP', line)
    first = redis.call('LINDEX', line, 0)
  end
  return first == id or not redis.call('LPOS', line, id)
end

local waiting = redis.call('ZRANGE', place.again, 'inf', 'inf', 'BYSCORE', 'LIMIT', waiting_from, page)
for _, id in ipairs(waiting) do
  if is_free(again_key(redis.call('HGET', place.entries, id) or ''), id) then
    redis.call('ZADD', place.again, now, id)
    freed = freed + 1
  end
end
local pending = redis.call('XPENDING', place.log, place.group, 'IDLE', ARGV[3], pending_from, '+', page)
for _, entry in ipairs(pending) do
  local id = entry[1]
  local is_there, key = read_entry(place.log, id)
  if is_there and key then
    local was_first = redis.call('LINDEX', place.line_prefix .. key, 0) == id
    if not was_first and is_free(key, id) then
      move_to_again(place, id, 0, now)
      freed = freed + 1
    end
  end
end
if #waiting == page then redis.call('HSET', state, 'swept_waiting', waiting_from + page) else redis.call('HDEL', state, 'swept_waiting') end
local next_pending = #pending == page and behind(pending[#pending][1])
if next_pending then redis.call('HSET', state, 'swept_pending', next_pending) else redis.call('HDEL', state, 'swept_pending') end
return freed
