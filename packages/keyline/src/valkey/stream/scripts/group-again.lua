-- Prelude: entries that are handed out again. Of each there is a text, {"attempts":2,"by":"4711-abc","key":"42","data":"..."}: the attempts
-- that were begun, who runs it now or "", and the fields of the entry, kept here so that trimming cannot take them. The text is cut, not
-- decoded: that would cost as much as the data is large, and change what Lua's numbers cannot hold.

local function again_head(attempts, by)
  return string.format('{"attempts":%d,"by":"%s"', attempts, by)
end

-- Attempts, who runs it, and the rest of the text.
local function again_parts(text)
  local attempts, by, rest = string.match(text, '^{"attempts":(%d+),"by":"([^"]*)"(.*)$')
  return tonumber(attempts), by, rest
end

local function again_key(text)
  local _, _, rest = again_parts(text)
  local quoted = rest and string.match(rest, '^,"key":(".-"),"data"') or rest and string.match(rest, '^,"key":(".-")}$')
  return quoted and cjson.decode('[' .. quoted .. ']')[1]
end

local function again_text(attempts, by, key, data, trace)
  local text = again_head(attempts, by)
  if key then text = text .. ',"key":' .. cjson.encode(key) end
  if data then text = text .. ',"data":' .. cjson.encode(data) end
  if trace then text = text .. ',"trace":' .. cjson.encode(trace) end
  return text .. '}'
end

-- The key, the data and the trace among the fields of an entry.
local function key_and_data(fields)
  local key, data, trace
  for i = 1, #fields, 2 do
    if fields[i] == 'key' then key = fields[i + 1] elseif fields[i] == 'data' then data = fields[i + 1] elseif fields[i] == 'trace' then trace = fields[i + 1] end
  end
  if key == '' then key = nil end
  return key, data, trace
end

-- Whether the entry is in the log, its key, its data and its trace.
local function read_entry(log, id)
  local entry = redis.call('XRANGE', log, id, id)[1]
  if not entry then return false end
  return true, key_and_data(entry[2])
end

-- Whether nothing of the same key has to end before it. A line that is not there was lost: in doubt an entry is delivered.
local function is_first_in_line(line_prefix, key, id)
  if line_prefix == '' or not key then return true end
  local first = redis.call('LINDEX', line_prefix .. key, 0)
  return not first or first == id
end

-- The time in the id of an entry, by which `again:order` has it.
local function time_of(id)
  return string.match(id, '^%d+')
end

-- Puts an entry into `again`, due at `due`, or replaces it there.
local function put_again(place, id, text, due)
  redis.call('HSET', place.entries, id, text)
  redis.call('ZADD', place.again, due, id)
  redis.call('ZADD', place.again .. ':order', time_of(id), id)
end

-- The earliest entry of `again` behind the id `after`: its id and true; where very many are of one millisecond an id that is not behind any of them, and false.
local function first_of_again(again, entries, after)
  local order = again .. ':order'
  local found
  for _ = 1, 100 do
    local page = redis.call('ZRANGE', order, time_of(after), '+inf', 'BYSCORE', 'LIMIT', 0, 100, 'WITHSCORES')
    local gone = {}
    for i = 1, #page, 2 do
      local id = page[i]
      if found and page[i + 1] ~= found.score then return found.id, true end
      if is_before(after, id) then
        if redis.call('HEXISTS', entries, id) == 0 then
          gone[#gone + 1] = id
        elseif not found or is_before(id, found.id) then
          found = { id = id, score = page[i + 1] }
        end
      end
    end
    if #gone == 0 then
      if #page < 200 then return found and found.id, true end
      -- All of a page are of that millisecond, or nearly.
      local first = time_of(page[1]) .. '-0'
      return is_before(after, first) and first or after, false
    end
    redis.call('ZREM', order, unpack(gone))
    found = nil
  end
  return after, false
end

-- Moves a pending entry to `again`, due at `due`, or when it is the first of its line; only the first can have begun an attempt. An entry
-- that is not in the log any more is gone.
local function move_to_again(place, id, attempts, due)
  local is_there, key, data, trace = read_entry(place.log, id)
  redis.call('XACK', place.log, place.group, id)
  if not is_there then return false end
  local is_first = is_first_in_line(place.line_prefix, key, id)
  put_again(place, id, again_text(is_first and attempts or 0, '', key, data, trace), is_first and due or 'inf')
  return true
end

-- Has `consumer` begin an attempt with an entry of `again`. Returns its text.
local function take_again(place, id, text, consumer, until_ms)
  local attempts, _, rest = again_parts(text)
  text = again_head(attempts + 1, consumer) .. rest
  redis.call('HSET', place.entries, id, text)
  redis.call('ZADD', place.again, until_ms, id)
  return text
end

-- Removes an entry that has ended from where it is. Returns 'ended', 'taken' when somebody else runs it now, 'gone' when it is nowhere.
local function remove_ended(place, id, consumer)
  if redis.call('XACK', place.log, place.group, id) == 1 then return 'ended' end
  local text = redis.call('HGET', place.entries, id)
  if not text then return 'gone' end
  local _, by = again_parts(text)
  if by ~= '' and by ~= consumer then return 'taken' end
  redis.call('HDEL', place.entries, id)
  redis.call('ZREM', place.again, id)
  redis.call('ZREM', place.again .. ':order', id)
  return 'ended'
end

-- Takes an entry that has ended out of its line. Returns the id that is first now and its text in `again`, or its id, nil, its key and
-- its data where it is pending; nothing where there is none, or where the ended one was not the first.
local function advance_line(place, key, id)
  local line = place.line_prefix .. key
  if redis.call('LINDEX', line, 0) ~= id then
    redis.call('LREM', line, 1, id)
    return
  end
  redis.call('LPOP', line)
  while true do
    local first = redis.call('LINDEX', line, 0)
    if not first then return end
    local text = redis.call('HGET', place.entries, first)
    if text then
      local _, by = again_parts(text)
      if by ~= '' then return end
      return first, text
    end
    if redis.call('XPENDING', place.log, place.group, first, first, 1)[1] then
      local is_there, its_key, data, trace = read_entry(place.log, first)
      if is_there then return first, nil, its_key, data, trace end
      redis.call('XACK', place.log, place.group, first)
    end
    -- It was trimmed or deleted while it waited.
    redis.call('LPOP', line)
  end
end

-- The entry behind one that has ended is due now, for whoever takes it.
local function release_line(place, key, id, now)
  if place.line_prefix == '' or not key then return end
  local next_id, text = advance_line(place, key, id)
  if not next_id then return end
  if text then redis.call('ZADD', place.again, now, next_id) else move_to_again(place, next_id, 0, now) end
end

-- Tells consumers that wait for news that something is due again, of some group of the stream.
local function wake_consumers(wake)
  redis.call('XADD', wake, 'MAXLEN', 1, '*', 'due', '1')
end

-- Milliseconds until the next entry of `again` is due, -1 when none is.
local function next_due_ms(again, now)
  local first = redis.call('ZRANGE', again, 0, 0, 'WITHSCORES')
  if not first[2] or first[2] == 'inf' then return -1 end
  return math.max(0, tonumber(first[2]) - now)
end
