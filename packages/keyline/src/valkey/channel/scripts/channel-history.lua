-- Prelude of the scripts that touch a channel's history. It stands behind eras.lua.
--
-- The state is a hash beside the stream: epoch (the name of this history, another one after a loss), server (the process that wrote last),
-- era (the name of its reign, another one whenever the server is), eras (the latest of them, oldest first, each with the last entry before
-- it: "name@id name@id"), count (messages ever published), last (id of the last entry), ttl (what publishers keep, in ms). It outlives the
-- entries by far, so that a cursor can be judged when they have expired. An entry has the fields id, data and n, which is its era and number.

local state_outlives_ms = 2592000000

-- The server's own ids are behind the last one unless the stream has expired: then they must not fall behind it because a clock was set back.
local function keep_ids_behind(stream, last)
  if last == '0-0' or redis.call('EXISTS', stream) == 1 then return end
  if tonumber(redis.call('TIME')[1]) * 1000 > tonumber(string.match(last, '%d+')) then return end
  redis.call('XADD', stream, last, 'id', '')
  redis.call('XDEL', stream, last)
end

-- The history as it is now. `server` is the caller's knowledge of the server process, or ''. One that was restarted, or a replica
-- that took over, may have lost what came last: with it another era begins.
local function open_history(state_key, stream, server)
  local found = redis.call('HMGET', state_key, 'epoch', 'server', 'era', 'eras', 'count', 'last', 'ttl')
  if server == '' or (server ~= found[2] and string.sub(server, 1, 1) ~= '=') then
    server = run_of(redis.call('INFO', 'server'))
  end
  local history = { epoch = found[1], era = found[3], eras = found[4] or '', count = tonumber(found[5] or 0), last = found[6] or '0-0', ttl = found[7] }
  if history.epoch and found[2] == server then return history end
  if not history.epoch then
    history.epoch = micros()
    redis.call('DEL', stream)
  end
  history.era = new_era(server)
  history.eras = with_era(history.eras, history.era, history.last)
  redis.call('HSET', state_key, 'epoch', history.epoch, 'server', server, 'era', history.era, 'eras', history.eras, 'count', history.count, 'last', history.last)
  return history
end

-- The last entry before whatever was written after the era `name`; before the era that is, where that one is not known any more.
local function end_of_era(history, name)
  local last, is_next = nil, false
  for era, id in string.gmatch(history.eras, '(%S+)@(%S+)') do
    if is_next then return id end
    last, is_next = id, era == name
  end
  return not is_next and last or nil
end

local function cursor_of(history)
  return history.epoch .. '.' .. history.era .. '.' .. history.count .. '.' .. history.last
end

-- Drops what is older than `ttl` milliseconds.
local function drop_expired(stream, ttl)
  local now = redis.call('TIME')
  redis.call('XTRIM', stream, 'MINID', tonumber(now[1]) * 1000 - ttl)
end
