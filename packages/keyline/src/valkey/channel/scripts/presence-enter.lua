-- A process answers for members from now on. Asking again changes nothing but what they say of themselves.
--
-- KEYS  1 owners  2 members  3 members of the process
-- ARGV  1 process  2 lease in ms  3 prefix of a process's members  4 events channel  5 SPUBLISH or PUBLISH, then for each: member, info as JSON
-- RETURNS nothing

local now = server_ms()
release_ended(KEYS[1], KEYS[2], ARGV[3], ARGV[5], ARGV[4], now)
redis.call('ZADD', KEYS[1], now + ARGV[2], ARGV[1])
for first = 6, #ARGV, 2 do
  local member, info = ARGV[first], ARGV[first + 1]
  local is_new = redis.call('SADD', KEYS[3], member)
  local count, since, before = string.match(redis.call('HGET', KEYS[2], member) or '', '^(%d+)|(%d+)|(.*)$')
  if count then
    redis.call('HSET', KEYS[2], member, (tonumber(count) + is_new) .. '|' .. since .. '|' .. info)
    -- Those who know the member already learn what it says of itself now.
    if before ~= info then announce(ARGV[5], ARGV[4], 'joined', member, ',"since":' .. since .. ',"info":' .. info) end
  else
    redis.call('HSET', KEYS[2], member, '1|' .. now .. '|' .. info)
    announce(ARGV[5], ARGV[4], 'joined', member, ',"since":' .. now .. ',"info":' .. info)
  end
end
for _, key in ipairs(KEYS) do redis.call('PEXPIRE', key, ARGV[2] * 10) end
