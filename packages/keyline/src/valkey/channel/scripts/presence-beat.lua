-- Renews the lease of a process, removes members that no process answers for any more, and may list who is here.
--
-- KEYS  1 owners  2 members  3 members of the process
-- ARGV  1 process, '' for one that answers for nobody  2 lease in ms  3 prefix of a process's members  4 events channel  5 SPUBLISH or PUBLISH
--       6 '1' to list  7 how many members the process has
-- RETURNS {1, or 0 when the process must enter its members again; then, if asked for, member, since, info, ...}

local now = server_ms()
local is_known = 1
if ARGV[1] ~= '' then
  local lease_end = redis.call('ZSCORE', KEYS[1], ARGV[1])
  local is_whole = redis.call('SCARD', KEYS[3]) == tonumber(ARGV[7]) and redis.call('EXISTS', KEYS[2]) == 1
  if lease_end and tonumber(lease_end) > now and is_whole then
    redis.call('ZADD', KEYS[1], now + ARGV[2], ARGV[1])
    for _, key in ipairs(KEYS) do redis.call('PEXPIRE', key, ARGV[2] * 10) end
  else
    is_known = 0
  end
end
release_ended(KEYS[1], KEYS[2], ARGV[3], ARGV[5], ARGV[4], now)
local reply = { is_known }
if ARGV[6] == '1' then
  local found = redis.call('HGETALL', KEYS[2])
  for index = 1, #found, 2 do
    local since, info = string.match(found[index + 1], '^%d+|(%d+)|(.*)$')
    reply[#reply + 1] = found[index]
    reply[#reply + 1] = since
    reply[#reply + 1] = info
  end
end
return reply
