-- Part behind settle-told.lua and tell-end.lua: keeps the result (tie-result.lua), and tells it.

if ARGV[6] ~= '0' then redis.call('SET', base .. 'outcome:' .. ARGV[4], ARGV[7], 'PX', ARGV[6]) end
tell_end('id', ARGV[4], 'value', ARGV[5])
