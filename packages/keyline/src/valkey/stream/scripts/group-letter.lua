-- Prelude: the dead letters of a group of a plain stream. `dead` is the list in which versions before kept them; beside it:
--
--   dead:order    sorted set  id of an entry -> when it died, in microseconds, and behind all that were there before
--   dead:letters  hash        the same ids -> the letter, as JSON

local function write_letter(dead, id, text)
  local time = redis.call('TIME')
  local place = time[1] * 1000000 + time[2]
  local last = redis.call('ZRANGE', dead .. ':order', -1, -1, 'WITHSCORES')
  if last[2] and tonumber(last[2]) >= place then place = last[2] + 1 end
  redis.call('HSET', dead .. ':letters', id, text)
  redis.call('ZADD', dead .. ':order', string.format('%.0f', place), id)
end

local function remove_letter(dead, id)
  redis.call('ZREM', dead .. ':order', id)
  return redis.call('HDEL', dead .. ':letters', id)
end
