-- What is known of a family, for those who only look. Last part.
--
-- KEYS  1 workers
-- ARGV  1 family
-- RETURN  { how many children have not ended, how many there are, what the death of one does, the element of a parent that waits for them or '' }; nil where there is none

local fields = redis.call('HMGET', base .. 'family:' .. ARGV[1], 'open', 'death', 'parked')
if not fields[1] then return false end
local total = 0
for _, batch in ipairs(batches_of(ARGV[1])) do total = total + batch.count end
return { tonumber(fields[1]), total, fields[2] or 'die', fields[3] or '' }
