-- Prelude of the scripts that touch a stream. It stands behind eras.lua.
--
-- The state is a hash beside the stream: epoch (the name of this stream, another one after it was lost), began (an id before which this
-- stream had no entries; 0-0 where that is not known), trimmed (entries up to here were dropped), used (1 when it has had entries), server (the
-- process that appended last), eras (the latest of its reigns, oldest first, each with the newest id before it: "name@id name@id"). Of a
-- transactional stream also last (the newest entry that came from the record) and length (how many entries there are); all between trimmed
-- and last is there.
--
-- The epoch tells a reader that everything is another stream's now: a flush takes the state as well, and a stream that was used and is not there
-- was deleted. The eras tell what a server forgot that was restarted, or took over: an entry that was read in an era and is behind its end was
-- lost, and what came since is behind that end, whatever the clocks say, and has perhaps ids that were given before.

-- The start of a range behind an id; nil behind the last of all, where the server refuses it and nothing is.
local function behind(id)
  if id ~= '18446744073709551615-18446744073709551615' then return '(' .. id end
end

local function now_ms()
  local now = redis.call('TIME')
  return tonumber(now[1]) * 1000 + math.floor(tonumber(now[2]) / 1000)
end

-- The newest id that the stream ever gave; 0-0 where it is not there.
local function newest_id(events)
  if redis.call('EXISTS', events) == 0 then return '0-0' end
  local info = redis.call('XINFO', 'STREAM', events)
  for i = 1, #info, 2 do
    if info[i] == 'last-generated-id' then return info[i + 1] end
  end
end

-- The server process; nil where nobody may ask.
local function server_run()
  local info = redis.pcall('INFO', 'server')
  return type(info) == 'string' and run_of(info) or nil
end

-- Makes the state of a stream of which nothing is known.
local function begin_state(state, began)
  local server = server_run()
  redis.call('HSET', state, 'epoch', micros(), 'began', began, 'trimmed', '0-0', 'server', server or '', 'eras', new_era(server) .. '@0-0')
end

-- Makes the state where there is none, and anew where the stream was deleted. `is_adding` says that there will be an entry.
local function open_state(state, events, is_adding)
  if redis.call('EXISTS', state, events) == 2 then return end
  local is_there = redis.call('EXISTS', events) == 1
  local known = redis.call('HMGET', state, 'epoch', 'used', 'last')
  if not known[1] or (known[2] and not known[3] and not is_there) then
    begin_state(state, is_there and '0-0' or string.format('%.0f-0', now_ms()))
    known[2] = false
    redis.call('HDEL', state, 'used')
  end
  if not known[2] and (is_there or is_adding) then redis.call('HSET', state, 'used', 1) end
end

-- Notes the server process, and the era that begins with it where it is another one than before. `server` is '' where nothing is new, and
-- '?' where the caller does not know it.
local function note_server(state, events, server)
  if server == '' then return end
  if server == '?' then server = server_run() end
  local known = redis.call('HMGET', state, 'server', 'eras')
  if not server or known[1] == server then return end
  local eras = with_era(known[2] or '', new_era(server), newest_id(events))
  redis.call('HSET', state, 'server', server, 'eras', eras)
end

-- Whether what is there of a record is what its state says: nobody deleted from it, or wrote into it.
local function is_whole_record(events, newest, last, trimmed, length)
  local has_length = redis.call('XLEN', events) == tonumber(length or '-1')
  return has_length and (newest == last or (newest == '0-0' and last == trimmed))
end
