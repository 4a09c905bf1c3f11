-- Prelude of the scripts that touch a stream.
--
-- The state is a hash beside the stream: epoch (the name of this stream, another one after a loss), began (an id before which this
-- stream had no entries; 0-0 where that is not known), trimmed (entries up to here were dropped). Of a transactional stream also last (the
-- newest entry that came from the record) and length (how many entries there are); all between trimmed and last is there.

-- True when stream id `a` is before `b`. Their numbers are compared as text, which has no leading zeros: Lua's hold 53 bits, these have 64.
local function is_before(a, b)
  local a_ms, a_seq = string.match(a, '(%d+)-(%d+)')
  local b_ms, b_seq = string.match(b, '(%d+)-(%d+)')
  if a_ms == b_ms then a_ms, b_ms = a_seq, b_seq end
  if #a_ms ~= #b_ms then return #a_ms < #b_ms end
  return a_ms < b_ms
end

-- The start of a range behind an id; nil behind the last of all, where the server refuses it and nothing is.
local function behind(id)
  if id ~= '18446744073709551615-18446744073709551615' then return '(' .. id end
end

local function now_ms()
  local now = redis.call('TIME')
  return tonumber(now[1]) * 1000 + math.floor(tonumber(now[2]) / 1000)
end

-- Makes the state where there is none.
local function open_state(state, events)
  if redis.call('EXISTS', state) == 1 then return end
  local now = redis.call('TIME')
  local began = redis.call('EXISTS', events) == 1 and '0-0' or string.format('%.0f-0', now_ms())
  redis.call('HSET', state, 'epoch', string.format('%x', tonumber(now[1]) * 1000000 + tonumber(now[2])), 'began', began, 'trimmed', '0-0')
end

-- The newest id that the stream ever gave; 0-0 where it is not there.
local function newest_id(events)
  if redis.call('EXISTS', events) == 0 then return '0-0' end
  local info = redis.call('XINFO', 'STREAM', events)
  for i = 1, #info, 2 do
    if info[i] == 'last-generated-id' then return info[i + 1] end
  end
end

-- Whether what is there of a record is what its state says: nobody deleted from it, or wrote into it.
local function is_whole_record(events, newest, last, trimmed, length)
  local has_length = redis.call('XLEN', events) == tonumber(length or '-1')
  return has_length and (newest == last or (newest == '0-0' and last == trimmed))
end
