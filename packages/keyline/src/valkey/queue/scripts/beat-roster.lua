-- Part of a worker's beat: keeps what it has said of itself, and notes `unknown` where that is gone; and `watched` where somebody asks what workers run.
-- A worker whose user may not touch these keys goes on without.

local said = redis.pcall('PEXPIRE', base .. 'worker:' .. ARGV[1], 2 * ARGV[2])
if said == 0 then note('unknown', 1) end
if redis.pcall('EXISTS', base .. 'watched') == 1 then note('watched', 1) end
