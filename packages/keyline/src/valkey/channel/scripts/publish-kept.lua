-- Publishes messages and keeps them in the channel's history, as one step.
--
-- KEYS  1 state  2 history  3 place of the outbox
-- ARGV  1 live channel  2 server process or ''  3 size of the history  4 ttl in ms  5 SPUBLISH or PUBLISH  6 '1' to PUBLISH for patterns too
--       7 values of each message: 3 or 4, then for each: its number in the outbox or '', its id, its data as JSON, and its trace as JSON or ''
-- RETURNS for each message: receivers and cursor; false and false for one that was published before

local history = open_history(KEYS[1], KEYS[2], ARGV[2])
local size, ttl = ARGV[3], tonumber(ARGV[4])
local place = false
keep_ids_behind(KEYS[2], history.last)
local replies = {}
local width = tonumber(ARGV[7])
for first = 8, #ARGV, width do
  local number, id, data = ARGV[first], ARGV[first + 1], ARGV[first + 2]
  local trace = width == 4 and ARGV[first + 3] or ''
  if is_due(KEYS[3], number) then
    history.count = history.count + 1
    local place_in_era = history.era .. '.' .. history.count
    local member = ''
    if trace == '' then
      history.last = redis.call('XADD', KEYS[2], 'MAXLEN', size, '*', 'id', id, 'data', data, 'n', place_in_era)
    else
      history.last = redis.call('XADD', KEYS[2], 'MAXLEN', size, '*', 'id', id, 'data', data, 'n', place_in_era, 'trace', trace)
      member = '"trace":' .. trace .. ','
    end
    local cursor = cursor_of(history)
    local message = '{"cursor":"' .. cursor .. '","id":"' .. id .. '",' .. member .. '"data":' .. data .. '}'
    local receivers = redis.call(ARGV[5], ARGV[1], message)
    if ARGV[6] == '1' then receivers = receivers + redis.call('PUBLISH', ARGV[1], message) end
    replies[#replies + 1] = receivers
    replies[#replies + 1] = cursor
    if number ~= '' then place = number end
  else
    replies[#replies + 1] = false
    replies[#replies + 1] = false
  end
end
redis.call('HSET', KEYS[1], 'count', history.count, 'last', history.last, 'ttl', ttl)
drop_expired(KEYS[2], ttl)
-- Nobody may publish any more.
redis.call('PEXPIRE', KEYS[2], ttl)
redis.call('PEXPIRE', KEYS[1], ttl + state_outlives_ms)
if place then keep_place(KEYS[3], place) end
return replies
