-- Up to where everything that was handed out to a group is finished.
--
-- KEYS  1 log  2 again  3 texts of again
-- ARGV  1 group  2 the floor that is known: what is handed out again of below is there once more
-- RETURNS  { an id, 1 when everything up to it and it itself is finished, 0 when it itself is not }, or nil when that cannot be said

-- Without an order, as one that an older version has left, it cannot be said what is the earliest.
if redis.call('ZCARD', KEYS[2] .. ':order') < redis.call('HLEN', KEYS[3]) then return false end
local summary = redis.pcall('XPENDING', KEYS[1], ARGV[1])
if summary.err then return false end
local first = summary[2]
local again = first_of_again(KEYS[2], KEYS[3], ARGV[2])
if again and (not first or is_before(again, first)) then first = again end
if first then return { first, 0 } end
for _, reply in ipairs(redis.call('XINFO', 'GROUPS', KEYS[1])) do
  local info = {}
  for i = 1, #reply, 2 do info[reply[i]] = reply[i + 1] end
  if info.name == ARGV[1] then return { info['last-delivered-id'], 1 } end
end
return false
