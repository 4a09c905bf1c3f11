-- First part of scripts that tell the reigns of server processes apart. A process that was restarted, and a replica that took over, may have
-- forgotten what came last: so another era begins with it. A line of text has the latest of them, oldest first, each with the newest id before it:
-- "name@id name@id".

local eras_known = 16

-- True when stream id `a` is before `b`. Their numbers are compared as text, which has no leading zeros: Lua's hold 53 bits, these have 64.
local function is_before(a, b)
  local a_ms, a_seq = string.match(a, '(%d+)-(%d+)')
  local b_ms, b_seq = string.match(b, '(%d+)-(%d+)')
  if a_ms == b_ms then a_ms, b_ms = a_seq, b_seq end
  if #a_ms ~= #b_ms then return #a_ms < #b_ms end
  return a_ms < b_ms
end

local function micros()
  local now = redis.call('TIME')
  return string.format('%x', tonumber(now[1]) * 1000000 + tonumber(now[2]))
end

-- The name of the process that INFO tells of.
local function run_of(info)
  return string.sub(string.match(info, 'run_id:(%w+)'), 1, 8)
end

local function new_era(server)
  return string.sub(redis.sha1hex((server or '') .. micros()), 1, 8)
end

-- The eras with one more, which begins behind the id `last`.
local function with_era(eras, era, last)
  local known = {}
  for one in string.gmatch(eras, '%S+') do known[#known + 1] = one end
  known[#known + 1] = era .. '@' .. last
  return table.concat(known, ' ', math.max(1, #known - eras_known + 1))
end
