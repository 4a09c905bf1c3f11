-- Up to where everything that was handed out to a group is finished.
--
-- KEYS  1 log  2 again  3 texts of again
-- ARGV  1 group  2 the floor that is known: what is handed out again of below is there once more
-- RETURNS  { an id, 1 when everything up to it and it itself is finished, 0 when it itself is not }, or nil when that cannot be said

if redis.call('ZCARD', KEYS[2]) > 10000 then return false end
local summary = redis.pcall('XPENDING', KEYS[1], ARGV[1])
if summary.err then return false end
local first = summary[2]
for _, id in ipairs(redis.call('HKEYS', KEYS[3])) do
  if is_before(ARGV[2], id) and (not first or is_before(id, first)) then first = id end
end
if first then return { first, 0 } end
for _, reply in ipairs(redis.call('XINFO', 'GROUPS', KEYS[1])) do
  local info = {}
  for i = 1, #reply, 2 do info[reply[i]] = reply[i + 1] end
  if info.name == ARGV[1] then return { info['last-delivered-id'], 1 } end
end
return false
