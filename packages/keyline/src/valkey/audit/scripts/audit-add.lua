-- Writes an entry of the audit trail, and forgets the oldest beyond as many as are kept.
-- KEYS: entries, ends. ARGV: how many are kept, the entry's text. Returns its id.

local id = redis.call('XADD', KEYS[1], '*', 'entry', ARGV[2])
while redis.call('XLEN', KEYS[1]) > tonumber(ARGV[1]) do
  local oldest = redis.call('XRANGE', KEYS[1], '-', '+', 'COUNT', 1)[1][1]
  redis.call('HDEL', KEYS[2], oldest)
  redis.call('XDEL', KEYS[1], oldest)
end
return id
