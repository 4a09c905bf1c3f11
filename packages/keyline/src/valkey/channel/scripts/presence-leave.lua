-- A process answers for a member no longer.
--
-- KEYS  1 members  2 members of the process
-- ARGV  1 member  2 events channel  3 SPUBLISH or PUBLISH
-- RETURNS nothing

if redis.call('SREM', KEYS[2], ARGV[1]) == 1 then release_member(KEYS[1], ARGV[1], ARGV[3], ARGV[2]) end
