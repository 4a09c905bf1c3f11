-- Ends entries and takes others: those whose line has moved on, those that are due again, then new ones.
--
-- KEYS  1 log  2 consumers  3 again  4 texts of again  5 wake
-- ARGV  1 group  2 consumer  3 lease in milliseconds  4 prefix of the lines, '' for a stream without keys  5 places to fill  6 entries that may be
--       pending at the most, so that one long line does not draw in all of the stream  7 entries that have ended, then of each 8 its id
--       9 its key or ''
-- RETURNS  0 when the lease is lost, else { what became of the ended ('ended', 'taken' by somebody else, 'gone'), the newest id of the log when
--       there was nothing new, 'full' when too much is pending, else '', milliseconds until the next is due again or -1,
--       the taken: { id, text } of one that is handed out again, { id, key or nil, data or nil, its trace if it has one } of a new one, and where there was nothing
--       new the newest id of `wake`, else '' }

if not redis.call('ZSCORE', KEYS[2], ARGV[2]) then return 0 end
local place = { log = KEYS[1], again = KEYS[3], entries = KEYS[4], group = ARGV[1], line_prefix = ARGV[4] }
local consumer, places = ARGV[2], tonumber(ARGV[5])
local now = now_ms()
local until_ms = now + tonumber(ARGV[3])
-- Says at once, and before anything is done, when the group is not there.
local pending = redis.call('XPENDING', place.log, place.group)[1]
local ended, taken = {}, {}

for i = 8, #ARGV, 2 do
  local id, key = ARGV[i], ARGV[i + 1]
  local end_of_it = remove_ended(place, id, consumer)
  ended[#ended + 1] = end_of_it
  if place.line_prefix ~= '' and key ~= '' and end_of_it ~= 'taken' then
    if places <= 0 then
      release_line(place, key, id, now)
    else
      local next_id, text, its_key, data, trace = advance_line(place, key, id)
      if text then
        taken[#taken + 1] = { next_id, take_again(place, next_id, text, consumer, until_ms) }
      elseif next_id then
        -- Who read it may die: then it must not be taken for one of his.
        redis.call('XCLAIM', place.log, place.group, consumer, 0, next_id, 'JUSTID')
        taken[#taken + 1] = { next_id, its_key or false, data or false, trace }
      end
      if next_id then places = places - 1 end
    end
  end
end

if places > 0 then
  for _, id in ipairs(redis.call('ZRANGE', place.again, '-inf', now, 'BYSCORE', 'LIMIT', 0, places)) do
    local text = redis.call('HGET', place.entries, id)
    if text then
      taken[#taken + 1] = { id, take_again(place, id, text, consumer, until_ms) }
      places = places - 1
    else
      redis.call('ZREM', place.again, id)
    end
  end
end

local stopped_by, woken = '', ''
local looked = 0
while places > 0 and looked < 1000 do
  local count = places
  if place.line_prefix ~= '' then count = math.min(count, tonumber(ARGV[6]) - pending) end
  if count <= 0 then
    stopped_by = 'full'
    break
  end
  local reply = redis.call('XREADGROUP', 'GROUP', place.group, consumer, 'COUNT', count, 'STREAMS', place.log, '>')
  if not reply then
    stopped_by, woken = newest_id(place.log), newest_id(KEYS[5])
    break
  end
  local entries = reply[1][2]
  looked = looked + #entries
  pending = pending + #entries
  for _, entry in ipairs(entries) do
    local key, data, trace = key_and_data(entry[2])
    if place.line_prefix == '' or not key or redis.call('RPUSH', place.line_prefix .. key, entry[1]) == 1 then
      taken[#taken + 1] = { entry[1], key or false, data or false, trace }
      places = places - 1
    end
  end
end

return { ended, stopped_by, next_due_ms(place.again, now), taken, woken }
