-- Prelude of the scripts for presence. A process answers for the members that are connected to it, under a lease; a member is here
-- as long as any process answers for it. In the hash of members each has `<processes>|<since>|<info>`.

local function server_ms()
  local now = redis.call('TIME')
  return tonumber(now[1]) * 1000 + math.floor(tonumber(now[2]) / 1000)
end

local function announce(verb, channel, kind, member, rest)
  redis.call(verb, channel, '{"kind":"' .. kind .. '","member":' .. cjson.encode(member) .. rest .. '}')
end

-- One process less answers for the member; the last one makes it leave.
local function release_member(members, member, verb, events)
  local count, since, info = string.match(redis.call('HGET', members, member) or '', '^(%d+)|(%d+)|(.*)$')
  if not count then return end
  if tonumber(count) > 1 then
    redis.call('HSET', members, member, (tonumber(count) - 1) .. '|' .. since .. '|' .. info)
  else
    redis.call('HDEL', members, member)
    announce(verb, events, 'left', member, ',"since":' .. since .. ',"info":' .. info)
  end
end

-- Removes the members whose processes have all lost their leases.
local function release_ended(owners, members, of_prefix, verb, events, now)
  for _, owner in ipairs(redis.call('ZRANGEBYSCORE', owners, '-inf', now)) do
    for _, member in ipairs(redis.call('SMEMBERS', of_prefix .. owner)) do release_member(members, member, verb, events) end
    redis.call('DEL', of_prefix .. owner)
    redis.call('ZREM', owners, owner)
  end
end
