-- Appends entries to a stream, in this order, and to the histories of their keys. An entry with an idempotency key that is still
-- remembered is left out.
--
-- KEYS  events, state
-- ARGV  prefix of the histories, prefix of the idempotency keys, server process ('' where it is the one as before, '?' where it is not known), values an entry has: 1 (data), 2 (data, key), 4 (data, key,
--       idempotency key or '', its window in ms) or 5 (and its trace), then the values of each entry; '' stands for no key, and for no trace
-- Returns the ids; with "=" in front of one that was appended before. The server's error when it has no more ids: then nothing was appended.
open_state(KEYS[2], KEYS[1], true)
note_server(KEYS[2], KEYS[1], ARGV[3])
local width = tonumber(ARGV[4])
local ids = {}

local function take_back()
  for place, id in ipairs(ids) do
    local first = 5 + (place - 1) * width
    if string.sub(id, 1, 1) ~= '=' then
      redis.call('XDEL', KEYS[1], id)
      if width > 1 and ARGV[first + 1] ~= '' then redis.call('RPOP', ARGV[1] .. ARGV[first + 1]) end
      if width >= 4 and ARGV[first + 2] ~= '' then redis.call('DEL', ARGV[2] .. ARGV[first + 2]) end
    end
  end
end

for i = 5, #ARGV, width do
  local once = width >= 4 and ARGV[i + 2] ~= '' and ARGV[2] .. ARGV[i + 2]
  local known = once and redis.call('GET', once)
  if known then
    ids[#ids + 1] = '=' .. known
  else
    local key = width > 1 and ARGV[i + 1] or ''
    local id
    if width == 5 and ARGV[i + 4] ~= '' then
      id = redis.pcall('XADD', KEYS[1], '*', 'data', ARGV[i], 'trace', ARGV[i + 4], unpack(key ~= '' and { 'key', key } or {}))
    elseif key == '' then
      id = redis.pcall('XADD', KEYS[1], '*', 'data', ARGV[i])
    else
      id = redis.pcall('XADD', KEYS[1], '*', 'data', ARGV[i], 'key', key)
    end
    if type(id) == 'table' then
      take_back()
      return id
    end
    if key ~= '' then redis.call('RPUSH', ARGV[1] .. key, id) end
    if once then redis.call('SET', once, id, 'PX', ARGV[i + 3]) end
    ids[#ids + 1] = id
  end
end
return ids
