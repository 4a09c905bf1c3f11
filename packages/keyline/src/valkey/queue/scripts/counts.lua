-- Counts a queue's jobs.
--
-- KEYS  1 workers  2 waiting  3 scheduled  4 dead
-- ARGV  1 key of a held list without its worker
-- RETURN  { waiting, running, scheduled, dead, dead letters that were dropped, blocked, 1 while it is paused, how many of the scheduled rest until their children have ended (family.lua), beginning of the element that is taken
--         next or '', since when it may be taken where that is later than it was added or '' }

local waiting, running, first = count_jobs(ARGV[1])
return {
  waiting,
  running,
  redis.call('ZCARD', KEYS[3]),
  redis.call('ZCARD', KEYS[4]),
  tonumber(redis.call('GET', KEYS[4] .. ':dropped') or 0),
  tonumber(redis.call('GET', base .. 'blocked') or 0),
  redis.call('HEXISTS', base .. 'gates', 'paused'),
  redis.call('ZCOUNT', KEYS[3], '500000000000000', '+inf'),
  first and string.sub(first, 1, 300) or '',
  first and string.match(head_of(first), ',"ready":(%d+)') or '',
}
