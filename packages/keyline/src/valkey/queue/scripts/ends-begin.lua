-- Where the stream of ends ends now. It begins where there is none, so that whoever waits can see that it was lost.
--
-- KEYS  1 workers
-- RETURN  { id of its last entry, id of the job that this one tells of }

local last = redis.call('XREVRANGE', base .. 'ends', '+', '-', 'COUNT', 1)[1]
if last then return { last[1], last[2][1] } end
local id = redis.call('XADD', base .. 'ends', string.format('%.0f', now()) .. '-*', '', '')
redis.call('PEXPIRE', base .. 'ends', 3600000)
return { id, '' }
