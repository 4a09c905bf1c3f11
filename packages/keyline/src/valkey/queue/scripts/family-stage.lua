-- Gets rows of children ready that are to be added. Nobody sees them until family-commit.lua; without that they go within an hour.
--
-- KEYS  1 workers
-- ARGV  1 batch  then for each: number, row (family.lua)
-- RETURN  OK

local values = {}
for index = 2, #ARGV do values[index - 1] = ARGV[index] end
redis.call('HSET', base .. 'family-jobs:' .. ARGV[1], unpack(values))
redis.call('PEXPIRE', base .. 'family-jobs:' .. ARGV[1], 3600000)
return redis.status_reply('OK')
