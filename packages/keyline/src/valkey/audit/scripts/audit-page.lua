-- A page of the audit trail, newest first.
-- KEYS: entries, ends. ARGV: where it begins, as XREVRANGE takes it; how many. Returns of each its id, its text, and how it ended or ''.

local page = {}
for _, entry in ipairs(redis.call('XREVRANGE', KEYS[1], ARGV[1], '-', 'COUNT', ARGV[2])) do
  page[#page + 1] = entry[1]
  page[#page + 1] = entry[2][2]
  page[#page + 1] = redis.call('HGET', KEYS[2], entry[1]) or ''
end
return page
