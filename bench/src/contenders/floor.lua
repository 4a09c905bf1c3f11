-- Ends what was taken before and takes as much as there is room for, in one round trip.
-- KEYS    1 waiting list  2 held list
-- ARGV    1 how many of the oldest held have finished  2 how many to take
-- RETURN  the elements taken, oldest first
if ARGV[1] ~= '0' then redis.call('LPOP', KEYS[2], ARGV[1]) end
if ARGV[2] == '0' then return {} end
local taken = redis.call('RPOP', KEYS[1], ARGV[2])
if not taken then return {} end
redis.call('RPUSH', KEYS[2], unpack(taken))
return taken
