-- Notes how an entry's act ended, once.
-- KEYS: entries, ends. ARGV: the entry's id, how it ended. Returns 1, or 0 when there is no such entry or it has ended before.

if #redis.call('XRANGE', KEYS[1], ARGV[1], ARGV[1]) == 0 then return 0 end
return redis.call('HSETNX', KEYS[2], ARGV[1], ARGV[2])
