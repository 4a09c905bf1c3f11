#!lua flags=allow-oom
-- Finds out whether this user may use the commands that other scripts use: one that is refused half way would leave half of its work. Each is
-- tried on a key that is there for as long as this script runs and is of no kind that it could change.
--
-- KEYS  1 a key of nobody
-- ARGV  commands
-- RETURN  1; an error for the first command that is not allowed

local key = KEYS[1]
local shapes = {
  LINDEX = { key, 0 }, LLEN = { key }, LMOVE = { key, key, 'LEFT', 'LEFT' }, LPOP = { key }, LPOS = { key, 'x' }, LPUSH = { key, 'x' },
  LRANGE = { key, 0, 0 }, LREM = { key, 0, 'x' }, LSET = { key, 0, 'x' }, LTRIM = { key, 0, 0 }, RPOP = { key }, RPUSH = { key, 'x' },
  BLMOVE = { key, key, 'LEFT', 'LEFT', 0.01 }, SADD = { key, 'x' }, SREM = { key, 'x' }, GET = { key }, INCRBY = { key, 0 }, TYPE = { key },
  ZADD = { key, 0, 'x' }, ZCARD = { key }, ZCOUNT = { key, 0, 0 }, ZRANGE = { key, 0, 0 }, ZREM = { key, 'x' }, ZSCORE = { key, 'x' },
  BLPOP = { key, 0.01 }, INCR = { key }, DECR = { key }, DECRBY = { key, 0 }, EXPIRE = { key, 1 }, PEXPIRE = { key, 1000 },
  SISMEMBER = { key, 'x' }, HGETALL = { key }, HSETNX = { key, 'x', 'x' }, XREVRANGE = { key, '+', '-' }, HDEL = { key, 'x' }, HEXISTS = { key, 'x' }, HGET = { key, 'x' }, HINCRBY = { key, 'x', 0 }, HMGET = { key, 'x' }, HSET = { key, 'x', 'x' },
  XACK = { key, 'x', '0-1' }, XADD = { key, '*', 'x', 'x' }, XCLAIM = { key, 'x', 'x', 0, '0-1' }, XDEL = { key, '0-1' }, XLEN = { key },
  XPENDING = { key, 'x' }, XRANGE = { key, '-', '+' }, XREADGROUP = { 'GROUP', 'x', 'x', 'STREAMS', key, '>' }, XTRIM = { key, 'MAXLEN', 0 },
}
redis.call('SET', key, '')
local refused
for _, name in ipairs(ARGV) do
  local reply = redis.pcall(name, unpack(shapes[name]))
  local text = type(reply) == 'table' and reply.err
  if text and (string.find(text, 'NOPERM', 1, true) or string.find(text, 'ACL failure', 1, true)) then
    refused = refused or text
  end
end
redis.call('DEL', key)
if refused then return redis.error_reply(string.find(refused, '^NOPERM') and refused or 'NOPERM ' .. refused) end
return 1
