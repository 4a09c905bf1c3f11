-- How much a stream has.
--
-- KEYS  events
-- Returns { how many entries, the id of the first or '', that of the last or '' }
local first = redis.call('XRANGE', KEYS[1], '-', '+', 'COUNT', 1)[1]
local last = redis.call('XREVRANGE', KEYS[1], '+', '-', 'COUNT', 1)[1]
return { redis.call('XLEN', KEYS[1]), first and first[1] or '', last and last[1] or '' }
