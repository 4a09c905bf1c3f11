-- Reads rows of what is below a child.
--
-- KEYS  1 workers
-- ARGV  1 batch  2 number of the first  3 how many
-- RETURN  rows, or none where some are missing

local numbers = {}
for number = tonumber(ARGV[2]), ARGV[2] + ARGV[3] - 1 do numbers[#numbers + 1] = 'b' .. number end
local rows = redis.call('HMGET', base .. 'family-jobs:' .. ARGV[1], unpack(numbers))
for _, row in ipairs(rows) do
  if not row then return {} end
end
return rows
