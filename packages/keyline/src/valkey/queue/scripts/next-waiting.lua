#!lua flags=no-writes
-- Finds the job of a list that is taken next, behind what stands for jobs that were cancelled deep in it (cancel-page.lua).
--
-- KEYS  1 list
-- ARGV  1 how many to pass by  2 how many to look at
-- RETURN  '' when all of these are none, else the beginning of its element; nil at the end of the list

local page = redis.call('LRANGE', KEYS[1], -ARGV[1] - ARGV[2], -ARGV[1] - 1)
if #page == 0 then return false end
for index = #page, 1, -1 do
  if not string.find(page[index], '^{"cancelled":true,"id":"%-"') then return string.sub(page[index], 1, 300) end
end
return ''
