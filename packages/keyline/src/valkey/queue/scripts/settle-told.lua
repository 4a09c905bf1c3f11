#!lua flags=allow-oom
-- Settles the one job that is held longest, of which somebody waits for the result, and which is tied to nothing else: as settle-oldest.lua, tell-end.lua and tie-result.lua do, without
-- what others need, as whoever waits waits for all of this script. take.lua follows.
--
-- KEYS  1 workers  2 held list of the worker  3 waiting  4 ends  5 outcome of the job
-- ARGV  1 worker  2 how many to take  3 the text that its element begins with  4 its id  5 its result as JSON, or nothing
--       6 for how many milliseconds it is kept here  7 what is kept
--       8 the millisecond that all entries of `ends` have, as far as the worker knows, or ''  9 anything where they are to be kept for longer
-- RETURN  0 when the worker's lease is lost, -1 when the oldest held is another (nothing was done), else the elements taken; before them, when the
--         millisecond is another one, a list of it

local held, ends = KEYS[2], KEYS[4]
local missing = {}
local element = redis.call('LINDEX', held, 0)
if not element or string.sub(element, 1, #ARGV[3]) ~= ARGV[3] then return redis.call('ZSCORE', KEYS[1], ARGV[1]) and -1 or 0 end

if ARGV[6] ~= '0' then redis.call('SET', KEYS[5], ARGV[7], 'PX', ARGV[6]) end
-- It is refused where the entries have a later one.
local entry = redis.pcall('XADD', ends, 'NOMKSTREAM', 'MAXLEN', '~', 1000, ARGV[8] .. '-*', 'id', ARGV[4], 'value', ARGV[5])
local is_told = type(entry) == 'string'
if is_told and string.sub(entry, -2) == '-0' then
  -- They had an earlier one: the memory is another, and its clock was behind. Readers shall see that there is a gap, so that they look.
  redis.call('DEL', ends)
  is_told = false
end
if not is_told then
  local last = redis.call('XREVRANGE', ends, '+', '-', 'COUNT', 1)[1]
  local from = last and string.match(last[1], '^%d+')
  if not from then
    local time = redis.call('TIME')
    from = string.format('%.0f', time[1] * 1000 + math.floor(time[2] / 1000))
  end
  redis.call('XADD', ends, 'MAXLEN', '~', 1000, from .. '-*', 'id', ARGV[4], 'value', ARGV[5])
  missing[1] = from
end
if ARGV[9] or not is_told then redis.call('PEXPIRE', ends, 3600000) end
-- Last of all, so that a job whose end is refused is still held.
redis.call('LTRIM', held, 1, -1)
