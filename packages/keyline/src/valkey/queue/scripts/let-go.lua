-- Part behind settle-oldest.lua: what has finished leaves the held list, last of all, so that a job whose end is refused is still held.

if finished > 0 then redis.call('LTRIM', held, finished, -1) end
