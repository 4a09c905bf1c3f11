-- Adds to what is counted in this minute.
--
-- Hash rates:MINUTE: added, completed, failed, dead, and for the histograms r0, r1, ... (how long attempts ran) and w0, w1, ... (how long jobs waited): of durations
-- below 2^N milliseconds, and not below 2^(N-1). The minute is that of the server, since 1970.
--
-- KEYS  1 workers
-- ARGV  1 for how many milliseconds it is kept  then names and numbers
-- RETURN  1

local key = base .. 'rates:' .. string.format('%.0f', math.floor(now() / 60000))
for index = 2, #ARGV, 2 do redis.call('HINCRBY', key, ARGV[index], ARGV[index + 1]) end
redis.call('PEXPIRE', key, ARGV[1])
return 1
