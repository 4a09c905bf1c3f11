#!lua flags=allow-oom
-- Settles the one job that is held longest, of which somebody waits for the result, and which is tied to nothing else: as settle-oldest.lua, tell-end.lua and tie-result.lua do, without
-- what others need, as whoever waits waits for all of this script: each command of it costs a server that was asleep more than the script itself. take.lua follows.
--
-- KEYS  1 workers  2 held list of the worker  3 waiting  4 ends  5 outcome of the job
-- ARGV  1 id of the job  2 how many to take  3 the text that its element begins with  4 its result as JSON, or nothing
--       5 for how many milliseconds it is kept here
--       6 the millisecond that all entries of `ends` have, as far as the worker knows, or ''  7 anything where they are to be kept for longer
-- RETURN  0 when the worker's lease is lost, -1 when the oldest held is another (nothing was done), else the elements taken; before them, when the
--         millisecond is another one, a list of it

local held, ends = KEYS[2], KEYS[4]
local missing = {}
local element = redis.call('LPOP', held)

if not element or string.sub(element, 1, #ARGV[3]) ~= ARGV[3] then
  if element then redis.call('LPUSH', held, element) end
  return redis.call('ZSCORE', KEYS[1], string.match(held, ':held:(.*)$')) and -1 or 0
end

-- From here on nothing may fail but what is followed by this: a job whose end is refused is still held.
local function refuse(answer)
  redis.call('LPUSH', held, element)
  return answer
end

if ARGV[5] ~= '0' then
  local kept = '{"outcome":"completed"' .. (ARGV[4] == '' and '' or ',"value":' .. ARGV[4]) .. '}'
  local answer = redis.pcall('SET', KEYS[5], kept, 'PX', ARGV[5])
  if answer.err then return refuse(answer) end
end
-- It is refused where the entries have a later one.
local entry = redis.pcall('XADD', ends, 'MAXLEN', '~', 1000, ARGV[6] .. '-*', ARGV[1], ARGV[4])
local is_told = type(entry) == 'string'
if not is_told or string.sub(entry, -2) == '-0' then
  local is_possible, answer = pcall(function()
    -- There are none, or they had an earlier one: the memory is another, and its clock was behind. Readers shall see that there is a gap, so that they look.
    if is_told then redis.call('DEL', ends) end
    local last = redis.call('XREVRANGE', ends, '+', '-', 'COUNT', 1)[1]
    local from = last and string.match(last[1], '^%d+')
    if not from then
      local time = redis.call('TIME')
      from = string.format('%.0f', time[1] * 1000 + math.floor(time[2] / 1000))
    end
    redis.call('XADD', ends, 'MAXLEN', '~', 1000, from .. '-*', ARGV[1], ARGV[4])
    return from
  end)
  if not is_possible then return refuse(redis.error_reply(type(answer) == 'table' and answer.err or answer)) end
  missing[1] = answer
end
if ARGV[7] or missing[1] then redis.call('PEXPIRE', ends, 3600000) end
