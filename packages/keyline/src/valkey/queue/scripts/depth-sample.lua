-- Notes how many jobs a queue has in this minute, for the first who comes in it.
--
-- Hash rates:depth:HOUR: minute of the hour -> "waiting running scheduled blocked dead age", age: for how many milliseconds the job that is taken next has waited, or "-". A queue without jobs
-- has none, unless there were some within the hour. The hash rates:hour:HOUR has as `depth` the one with the most jobs that wait.
--
-- KEYS  1 workers
-- ARGV  1 key of a held list without its worker  2 for how many milliseconds the samples are kept  3 an hour  4 '' to ask whether this minute has one, else how many dead letters there are
--       elsewhere  5 how many of the scheduled are parked there
-- RETURN  { 1 when there is none yet, else 0, the server's time }

local hour = string.format('%.0f', math.floor(now() / 3600000))
local key = base .. 'rates:depth:' .. hour
local minute = string.format('%.0f', math.floor(now() / 60000) % 60)
if redis.call('HEXISTS', key, minute) == 1 then return { 0, now() } end
if ARGV[4] == '' then return { 1, now() } end

local waiting, running, first = count_jobs(ARGV[1])
local parked = redis.call('ZCOUNT', base .. 'scheduled', '500000000000000', '+inf') + ARGV[5]
local scheduled = math.max(0, redis.call('ZCARD', base .. 'scheduled') - parked)
local blocked = tonumber(redis.call('GET', base .. 'blocked') or 0)
local dead = redis.call('ZCARD', base .. 'dead') + ARGV[4]
if waiting + running + scheduled + blocked + dead == 0 and redis.call('EXISTS', key) == 0 then return { 0, now() } end

local age = '-'
local head = first and head_of(first)
local since = head and (string.match(head, ',"ready":(%d+)') or string.match(head, ',"at":(%d+)'))
if since then age = string.format('%.0f', math.max(0, now() - since)) end
local sample = table.concat({ waiting, running, scheduled, blocked, dead, age }, ' ')
redis.call('HSET', key, minute, sample)
redis.call('PEXPIRE', key, ARGV[2])
local of_hour = base .. 'rates:hour:' .. hour
note_hour(base .. 'rates:', math.floor(now() / 3600000), ARGV[3])
local most = redis.call('HGET', of_hour, 'depth')
if not most or waiting >= tonumber(string.match(most, '^%d+')) then redis.call('HSET', of_hour, 'depth', sample) end
redis.call('PEXPIRE', of_hour, ARGV[3])
return { 0, now() }
