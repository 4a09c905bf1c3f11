-- Prelude of the scripts that touch a channel's history.
--
-- The state is a hash beside the stream: epoch (this history's name, another one after a loss), run (the server process that wrote
-- last), since_run (the entry that marks its start), count (messages ever published), last (id of the last entry).
-- It outlives the entries by far, so that a cursor can be judged when they have expired.

local state_outlives_ms = 2592000000

-- True when stream id `a` is before `b`.
local function is_before(a, b)
  local a_ms, a_seq = string.match(a, '(%d+)-(%d+)')
  local b_ms, b_seq = string.match(b, '(%d+)-(%d+)')
  a_ms, b_ms = tonumber(a_ms), tonumber(b_ms)
  if a_ms ~= b_ms then return a_ms < b_ms end
  return tonumber(a_seq) < tonumber(b_seq)
end

-- An id for XADD. The server's own are enough unless the stream has expired: then they must not fall behind the last one
-- because a clock was set back.
local function next_id(stream, last)
  if last == '0-0' or redis.call('EXISTS', stream) == 1 then return '*' end
  local ms, seq = string.match(last, '(%d+)-(%d+)')
  local now = redis.call('TIME')
  if tonumber(now[1]) * 1000 > tonumber(ms) then return '*' end
  return ms .. '-' .. (tonumber(seq) + 1)
end

-- The history as it is now. `run` is the caller's knowledge of the server process, or ''. A server that was restarted, or a
-- replica that took over, may have lost what came last: an entry without a message marks the place.
local function open_history(state_key, stream, run)
  local found = redis.call('HMGET', state_key, 'epoch', 'run', 'since_run', 'count', 'last')
  if run == '' or run ~= found[2] then
    run = string.sub(string.match(redis.call('INFO', 'server'), 'run_id:(%w+)'), 1, 8)
  end
  local history = { epoch = found[1], run = run, since_run = found[3], count = tonumber(found[4] or 0), last = found[5] or '0-0' }
  if not history.epoch then
    local now = redis.call('TIME')
    history.epoch = string.format('%x', tonumber(now[1]) * 1000000 + tonumber(now[2]))
    redis.call('DEL', stream)
  elseif found[2] ~= run then
    history.last = redis.call('XADD', stream, next_id(stream, history.last), 'run', run)
    history.since_run = history.last
  else
    return history
  end
  redis.call('HSET', state_key, 'epoch', history.epoch, 'run', run, 'since_run', history.since_run or '0-0', 'count', history.count, 'last', history.last)
  return history
end

local function cursor_of(history)
  return history.epoch .. '.' .. history.run .. '.' .. history.count .. '.' .. history.last
end

-- Drops what is older than `ttl` milliseconds, and has the keys expire when nobody publishes any more.
local function expire_history(state_key, stream, ttl)
  local now = redis.call('TIME')
  redis.call('XTRIM', stream, 'MINID', tonumber(now[1]) * 1000 - ttl)
  redis.call('PEXPIRE', stream, ttl)
  redis.call('PEXPIRE', state_key, ttl + state_outlives_ms)
end
