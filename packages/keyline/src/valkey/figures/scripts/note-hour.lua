-- Part of the scripts that count in an hour: notes that there is something of it, before the first of that is written.
--
-- Sorted set PREFIXhours: the hours of which there is a hash, so that nobody has to ask for each of ninety days whether it has one.

local function note_hour(prefix, number, kept_ms)
  if redis.call('EXISTS', prefix .. 'hour:' .. string.format('%.0f', number)) == 1 then return end
  local hours = prefix .. 'hours'
  redis.call('ZADD', hours, number, string.format('%.0f', number))
  redis.call('ZREMRANGEBYSCORE', hours, '-inf', number - kept_ms / 3600000)
  redis.call('PEXPIRE', hours, kept_ms)
end
