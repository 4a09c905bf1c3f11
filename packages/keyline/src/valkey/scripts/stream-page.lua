-- Reads a page of a stream, and what a reader's place is judged by.
--
-- KEYS  events, state
-- ARGV  command (XRANGE or XREVRANGE), its start, its end, most entries, the reader's place
-- Returns {epoch, began, trimmed, last of the record or '', newest id, entries, first id or '', entries ever added, entries there are,
-- 1 when the entry at the reader's place is there}
open_state(KEYS[2], KEYS[1])
local state = redis.call('HMGET', KEYS[2], 'epoch', 'began', 'trimmed', 'last', 'length')
local trimmed, last = state[3], state[4]
local newest, added, length, first = '0-0', 0, 0, ''
local info = redis.pcall('XINFO', 'STREAM', KEYS[1])
for i = 1, info.err and 0 or #info, 2 do
  if info[i] == 'last-generated-id' then newest = info[i + 1] end
  if info[i] == 'entries-added' then added = info[i + 1] end
  if info[i] == 'length' then length = info[i + 1] end
  if info[i] == 'first-entry' and info[i + 1] then first = info[i + 1][1] end
end
local is_there = #redis.call('XRANGE', KEYS[1], ARGV[5], ARGV[5])
local entries = redis.call(ARGV[1], KEYS[1], ARGV[2], ARGV[3], 'COUNT', ARGV[4])
-- Where somebody deleted entries of a record, or wrote his own, none of it counts as there: it is to be read from the record itself.
if last and not is_whole_record(KEYS[1], newest, last, trimmed, state[5]) then
  trimmed, entries = last, {}
end
return { state[1], state[2], trimmed, last or '', newest, entries, first, added, length, is_there }
