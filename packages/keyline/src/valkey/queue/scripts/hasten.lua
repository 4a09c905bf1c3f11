-- Makes jobs due now that are on the schedule. Last part.
--
-- KEYS  1 workers
-- ARGV  their elements
-- RETURN  how many were there, and due later

local count = 0
for _, element in ipairs(ARGV) do
  count = count + redis.call('ZADD', base .. 'scheduled', 'XX', 'LT', 'CH', now(), element)
end
if count > 0 then is_earliest = true end
placed()
return count
