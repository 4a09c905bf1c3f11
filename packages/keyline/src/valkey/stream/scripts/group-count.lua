-- Counts entries of a log behind an id, up to a page of them.
--
-- KEYS  1 log
-- ARGV  1 the id  2 the last id to count, or '+'  3 most entries
-- RETURNS  { how many, the last of them or '', how many bytes their data has }

local from = ARGV[1] == '0-0' and '-' or behind(ARGV[1])
if not from then return { 0, '', 0 } end
local page = redis.call('XRANGE', KEYS[1], from, ARGV[2], 'COUNT', ARGV[3])
local bytes = 0
for _, entry in ipairs(page) do
  for i = 2, #entry[2], 2 do bytes = bytes + #entry[2][i] end
end
return { #page, #page > 0 and page[#page][1] or '', bytes }
