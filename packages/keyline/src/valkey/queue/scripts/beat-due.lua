-- Part of a worker's beat: milliseconds until the next scheduled job is due, if there is one, as `due`.

local next_due = redis.call('ZRANGE', KEYS[3], 0, 0, 'WITHSCORES')
if next_due[2] then note('due', math.max(0, next_due[2] - now)) end
