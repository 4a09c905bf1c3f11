#!lua flags=allow-oom
-- Renews the lease of a worker and tells it what its duties need to know. First of several parts: each of those behind it notes something.
--
-- KEYS  1 workers  2 held list of the worker  3 scheduled  4 ticks
-- ARGV  1 worker  2 lease in milliseconds
-- RETURN  0 when the lease is lost (it is not begun again: its held list was given to others), else names and values:
--         held   length of the held list
--         ended  a worker whose lease has ended, if there is one

if not redis.call('ZSCORE', KEYS[1], ARGV[1]) then return 0 end
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
redis.call('ZADD', KEYS[1], now + ARGV[2], ARGV[1])

local answer = {}
local function note(name, value)
  answer[#answer + 1] = name
  answer[#answer + 1] = value
end

note('held', redis.call('LLEN', KEYS[2]))
local ended = redis.call('ZRANGE', KEYS[1], '-inf', now, 'BYSCORE', 'LIMIT', 0, 1)
if ended[1] then note('ended', ended[1]) end
