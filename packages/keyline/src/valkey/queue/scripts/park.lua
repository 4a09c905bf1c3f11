-- Ends an attempt of a parent until its children have ended: it leaves the held list, and rests on the schedule; where they have ended by now it waits for the next worker at once.
--
-- KEYS  1 workers  2 held list of the worker
-- ARGV  1 worker  2 place in the held list  3 text its element begins with  4 the new element  5 its family  6 what those are told who follow events (retry-told.lua), or ''
-- RETURN  1, or 0 when the worker does not hold the job (nothing was done), 2 when it was cancelled and is gone

if drop_if_marked(head_of(ARGV[4]), 'running') then
  remove(KEYS[2], place)
  placed()
  return 2
end
redis.call('ZADD', base .. 'scheduled', rests_until, ARGV[4])
redis.call('HSETNX', base .. 'family:' .. ARGV[5], 'open', 0)
redis.call('HSET', base .. 'family:' .. ARGV[5], 'parked', ARGV[4])
if ARGV[6] ~= '' then
  local length, told = string.match(ARGV[6], '^(%d+) (.*)$')
  tell_event('retried', string.sub(told, 1, tonumber(length)), string.sub(told, length + 1))
end
release_family(ARGV[5])
placed()
