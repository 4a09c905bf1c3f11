-- Reads a page of a stream, and what a reader's place is judged by.
--
-- KEYS  events, state
-- ARGV  command (XRANGE or XREVRANGE), its start, its end, most entries, most bytes (the entry that passes them is the last), the reader's
-- place, the epoch and era in which it got there ("epoch.era") or '', 1 where it was given the entry there
-- Returns {epoch, began, trimmed, last of the record or '', newest id, entries, first id or '', entries ever added, entries there are,
-- 1 when the entry at the reader's place is there, eras}
open_state(KEYS[2], KEYS[1])

-- In parts, the first a small one: entries may be megabytes, and what would be left out should not be read either.
local function read_within(command, start, finish, most, most_bytes)
  local entries, bytes, ask = {}, 0, math.min(most, 16)
  while start and ask > 0 do
    local part = redis.call(command, KEYS[1], start, finish, 'COUNT', ask)
    for _, entry in ipairs(part) do
      entries[#entries + 1] = entry
      for _, value in ipairs(entry[2]) do bytes = bytes + #value end
      if bytes >= most_bytes then return entries end
    end
    if #part < ask then return entries end
    start = behind(part[ask][1])
    ask = math.min(most - #entries, math.ceil((most_bytes - bytes) * #entries / bytes))
  end
  return entries
end

local newest, added, length, first = '0-0', 0, 0, ''
local info = redis.pcall('XINFO', 'STREAM', KEYS[1])
for i = 1, info.err and 0 or #info, 2 do
  if info[i] == 'last-generated-id' then newest = info[i + 1] end
  if info[i] == 'entries-added' then added = info[i + 1] end
  if info[i] == 'length' then length = info[i + 1] end
  if info[i] == 'first-entry' and info[i + 1] then first = info[i + 1][1] end
end

local function read_state()
  return redis.call('HMGET', KEYS[2], 'epoch', 'began', 'trimmed', 'last', 'length', 'eras', 'server', 'used')
end
local state = read_state()
local last = state[4]
local is_there = #redis.call('XRANGE', KEYS[1], ARGV[6], ARGV[6])
if not last then
  local is_ahead = is_before(newest, ARGV[6])
  -- Nothing was ever removed from here.
  local is_missing = ARGV[8] == '1' and is_there == 0 and added == length
  if (is_ahead or is_missing) and ARGV[7] == state[1] .. '.' .. (string.match(state[6] or '', '(%w+)@[%d-]+$') or '') then
    -- What was read here was lost: by another process than the one that appended last, else this is another stream.
    local server = server_run()
    if server and server == state[7] then begin_state(KEYS[2], '0-0') else note_server(KEYS[2], KEYS[1], server or '') end
    state = read_state()
  end
  if newest ~= '0-0' and not state[8] then redis.call('HSET', KEYS[2], 'used', 1) end
end
local trimmed = state[3]
local entries = read_within(ARGV[1], ARGV[2], ARGV[3], tonumber(ARGV[4]), tonumber(ARGV[5]))
-- Where somebody deleted entries of a record, or wrote their own, none of it counts as there: it must be read from the record itself.
if last and not is_whole_record(KEYS[1], newest, last, trimmed, state[5]) then
  trimmed, entries = last, {}
end
return { state[1], state[2], trimmed, last or '', newest, entries, first, added, length, is_there, state[6] or '' }
