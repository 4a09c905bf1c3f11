-- Removes dead letters of entries that a group is handed out again, page by page.
--
-- KEYS  1 dead
-- ARGV  1 the id behind which it begins  2 the place behind which letters are looked at  3 page
-- RETURNS  the place of the last one that was looked at, or '' when there are no more

local found = redis.call('ZRANGE', KEYS[1] .. ':order', '(' .. ARGV[2], '+inf', 'BYSCORE', 'LIMIT', 0, ARGV[3], 'WITHSCORES')
for i = 1, #found, 2 do
  if is_before(ARGV[1], found[i]) then remove_letter(KEYS[1], found[i]) end
end
return found[#found] or ''
