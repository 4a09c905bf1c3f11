-- Drops the oldest entries of a plain stream, as far as its rules ask for it: never what a live group has not finished, but by the hard
-- limits. Groups that lose entries are moved behind them, and what they lost is counted in their state.
--
-- KEYS  events, state, groups
-- ARGV  most entries, oldest age in ms, the same two as hard limits (-1: no limit), ms after which a group that was not seen counts as
--       dead, prefix of the histories, prefix of the groups' keys, most entries to drop at once
-- Returns how many entries were dropped
open_state(KEYS[2], KEYS[1])
if redis.call('EXISTS', KEYS[1]) == 0 then return 0 end
local now = now_ms()

local function fields_of(reply)
  local fields = {}
  for i = 1, #reply, 2 do fields[reply[i]] = reply[i + 1] end
  return fields
end

local groups = {}
for _, reply in ipairs(redis.call('XINFO', 'GROUPS', KEYS[1])) do
  local group = fields_of(reply)
  group.last = group['last-delivered-id']
  if group.pending > 0 then group.first_pending = redis.call('XPENDING', KEYS[1], group.name, '-', '+', 1)[1][1] end
  local seen = tonumber(redis.call('HGET', KEYS[3], group.name) or '0')
  -- Somebody else's consumers do not say when they were here: the server does.
  for _, consumer in ipairs(redis.call('XINFO', 'CONSUMERS', KEYS[1], group.name)) do
    seen = math.max(seen, now - fields_of(consumer).idle)
  end
  if seen == 0 then
    redis.call('HSET', KEYS[3], group.name, now)
    seen = now
  end
  group.is_dead = now - seen > tonumber(ARGV[5])
  groups[#groups + 1] = group
end

local function is_finished(group, id)
  if group.first_pending and not is_before(id, group.first_pending) then return false end
  return not is_before(group.last, id)
end

local function is_beyond(place, ms, most, age)
  return (most >= 0 and place <= redis.call('XLEN', KEYS[1]) - most) or (age >= 0 and ms < now - age)
end

local oldest = redis.call('XRANGE', KEYS[1], '-', '+', 'COUNT', ARGV[8])
local most, age, hard_most, hard_age = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local dropped = 0
for place, entry in ipairs(oldest) do
  local id = entry[1]
  local ms = tonumber(string.match(id, '%d+'))
  local may_go = is_beyond(place, ms, hard_most, hard_age)
  if not may_go and is_beyond(place, ms, most, age) then
    may_go = true
    for _, group in ipairs(groups) do
      if not group.is_dead and not is_finished(group, id) then may_go = false end
    end
  end
  if not may_go then break end
  dropped = place
end
if dropped == 0 then return 0 end

local last = oldest[dropped][1]
for _, group in ipairs(groups) do
  local lost = {}
  for place = 1, dropped do
    local id = oldest[place][1]
    if is_before(group.last, id) then
      lost[#lost + 1] = id
    elseif group.first_pending and not is_before(id, group.first_pending) and redis.call('XACK', KEYS[1], group.name, id) == 1 then
      lost[#lost + 1] = id
    end
  end
  if #lost > 0 then
    local state = ARGV[7] .. group.name .. ':state'
    redis.call('HINCRBY', state, 'lost', #lost)
    redis.call('HINCRBY', state, 'unreported', #lost)
    redis.call('HSETNX', state, 'unreported_from', lost[1])
    redis.call('HSET', state, 'unreported_to', lost[#lost])
  end
end

for place = 1, dropped do
  local fields = fields_of(oldest[place][2])
  -- They are in the order of the stream: the oldest is in front, unless somebody wrote the field himself.
  if fields.key and redis.call('LINDEX', ARGV[6] .. fields.key, 0) == oldest[place][1] then redis.call('LPOP', ARGV[6] .. fields.key) end
end
redis.call('XTRIM', KEYS[1], 'MINID', '=', last)
redis.call('XTRIM', KEYS[1], 'MAXLEN', '=', redis.call('XLEN', KEYS[1]) - 1)
redis.call('HSET', KEYS[2], 'trimmed', last)
for _, group in ipairs(groups) do
  if is_before(group.last, last) then
    local info = fields_of(redis.call('XINFO', 'STREAM', KEYS[1]))
    redis.call('XGROUP', 'SETID', KEYS[1], group.name, last, 'ENTRIESREAD', info['entries-added'] - info.length)
  end
end
return dropped
