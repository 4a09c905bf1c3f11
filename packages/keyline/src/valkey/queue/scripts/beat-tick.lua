-- Part of a worker's beat: milliseconds until the next tick of a schedule is due, if there is one, as `tick`.

local next_tick = redis.call('ZRANGE', KEYS[4], 0, 0, 'WITHSCORES')
if next_tick[2] then note('tick', math.max(0, next_tick[2] - now)) end
