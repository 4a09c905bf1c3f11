-- Adds to what is counted in this minute and in this hour.
--
-- What is counted of a queue, a stream or a channel is in hashes beside its other keys: of minutes PREFIX<minute>, of hours PREFIXhour:<hour>, both since 1970 by the clock of the server. Of
-- histograms each bucket is a name: r3 and w3 count durations below 2^3 milliseconds, and not below 2^2. Which hours there are is in note-hour.lua, which goes before this.
--
-- KEYS  1 PREFIX
-- ARGV  1 for how many milliseconds a minute is kept  2 an hour  then names and numbers
-- RETURN  the server's time in milliseconds

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
if #ARGV > 2 then
  local minute = KEYS[1] .. string.format('%.0f', math.floor(now / 60000))
  local number = math.floor(now / 3600000)
  local hour = KEYS[1] .. 'hour:' .. string.format('%.0f', number)
  note_hour(KEYS[1], number, ARGV[2])
  for index = 3, #ARGV, 2 do
    redis.call('HINCRBY', minute, ARGV[index], ARGV[index + 1])
    redis.call('HINCRBY', hour, ARGV[index], ARGV[index + 1])
  end
  redis.call('PEXPIRE', minute, ARGV[1])
  redis.call('PEXPIRE', hour, ARGV[2])
end
return now
