-- Reads the entries of one key, and forgets those that are gone.
--
-- KEYS  events, the key's history
-- ARGV  first and last place in it, as of LRANGE
-- Returns the entries, oldest first
local entries = {}
for _, id in ipairs(redis.call('LRANGE', KEYS[2], ARGV[1], ARGV[2])) do
  local found = redis.call('XRANGE', KEYS[1], id, id)
  if found[1] then
    entries[#entries + 1] = found[1]
  else
    redis.call('LREM', KEYS[2], 1, id)
  end
end
return entries
