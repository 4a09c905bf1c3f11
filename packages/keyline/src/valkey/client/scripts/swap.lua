-- Sets a text where nobody else was faster.
--
-- KEYS  1 key
-- ARGV  1 the text that it has, or ''  2 the text that it is to have
-- RETURN  1, or 0 when it has another one

if (redis.call('GET', KEYS[1]) or '') ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[2])
return 1
