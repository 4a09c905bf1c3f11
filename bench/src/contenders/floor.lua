-- Ends what is finished and takes as much as there is room for, in one round trip.
-- KEYS  1 waiting list  2 held list
-- ARGV  1 how many to take  2.. the elements that are finished, in the order in which they were taken
-- Returns the elements taken, oldest first.
for index = 2, #ARGV do
  -- From the tail: the oldest element is the last one, so nothing is searched.
  redis.call('LREM', KEYS[2], -1, ARGV[index])
end
local room = tonumber(ARGV[1])
if room == 0 then return {} end
local taken = redis.call('RPOP', KEYS[1], room)
if not taken then return {} end
redis.call('LPUSH', KEYS[2], unpack(taken))
return taken
