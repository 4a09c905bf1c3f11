-- Part of the scripts that write and remove dead letters.
--
-- A letter is known by a key: the id of its job, a unit separator, its place. Its place is the time of its death in microseconds, and greater than that of
-- every letter there is, also when the clock was set back: so one that died again is behind all that were there before. Beside the sorted set `dead`:
--
--   dead:job  hash        key -> stack as JSON or '', a newline, the element as a redrive puts it back
--   dead:why  hash        key -> why it is dead, as JSON: what filters look at, however large the job is
--   dead:ids  sorted set  every key with the score 0, so that the letters of an id are found
--   dead:dropped          how many were dropped because they were too old or too many

local function write_letter(dead, id, why, job)
  local time = redis.call('TIME')
  local place = time[1] * 1000000 + time[2]
  local last = redis.call('ZRANGE', dead, -1, -1, 'WITHSCORES')
  if last[2] and tonumber(last[2]) >= place then place = last[2] + 1 end
  local text = string.format('%.0f', place)
  local key = (id == '' and 'unreadable-' .. text or id) .. '\31' .. text
  -- Last what shows it, so that a refusal shows nothing that is not whole.
  redis.call('HSET', dead .. ':job', key, job)
  redis.call('HSET', dead .. ':why', key, why)
  redis.call('ZADD', dead .. ':ids', 0, key)
  redis.call('ZADD', dead, text, key)
  return key
end

local function remove_letter(dead, key)
  if redis.call('ZREM', dead, key) == 0 then return 0 end
  redis.call('ZREM', dead .. ':ids', key)
  redis.call('HDEL', dead .. ':why', key)
  redis.call('HDEL', dead .. ':job', key)
  return 1
end

-- Drops the oldest that are older than `max_age` milliseconds, or more than `max_length`, up to `limit` of them; returns how many.
local function drop_letters(dead, max_length, max_age, limit)
  local time = redis.call('TIME')
  local too_old = time[1] * 1000000 + time[2] - max_age * 1000
  local too_many = redis.call('ZCARD', dead) - max_length
  local oldest = redis.call('ZRANGE', dead, 0, limit - 1, 'WITHSCORES')
  local dropped = 0
  for index = 1, #oldest, 2 do
    if dropped >= too_many and tonumber(oldest[index + 1]) >= too_old then break end
    dropped = dropped + remove_letter(dead, oldest[index])
  end
  if dropped > 0 then redis.call('INCRBY', dead .. ':dropped', dropped) end
  return dropped
end
