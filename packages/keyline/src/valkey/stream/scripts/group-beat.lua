-- Renews the lease of a consumer and tells it what its duties need to know.
--
-- KEYS  1 log  2 consumers  3 again  4 texts of again  5 state  6 groups
-- ARGV  1 group  2 consumer  3 lease in milliseconds  4 and on: ids of `again` that it runs
-- RETURNS  0 when the lease is lost (it is not begun again: others may have what it had), else { entries pending with it, -1 when the group is
--       not there, milliseconds until the next is due again or -1, a consumer that is gone or '', the mode, entries lost to trimming since
--       the last report, the first and the last of them,
--       1 where what it has said of itself is gone, 1 where somebody asks what consumers run }

if not redis.call('ZSCORE', KEYS[2], ARGV[2]) then return 0 end
local group, consumer, lease = ARGV[1], ARGV[2], tonumber(ARGV[3])
local now = now_ms()
redis.call('ZADD', KEYS[2], now + lease, consumer)
redis.call('HSET', KEYS[6], group, string.format('%.0f', now))
for i = 4, #ARGV do
  local text = redis.call('HGET', KEYS[4], ARGV[i])
  local _, by = again_parts(text or '')
  if by == consumer then redis.call('ZADD', KEYS[3], 'XX', now + lease, ARGV[i]) end
end

local pending = 0
local gone = redis.call('ZRANGE', KEYS[2], '-inf', now, 'BYSCORE', 'LIMIT', 0, 1)[1] or ''
local known = redis.pcall('XINFO', 'CONSUMERS', KEYS[1], group)
if known.err then
  pending = -1
else
  for _, reply in ipairs(known) do
    local info = {}
    for i = 1, #reply, 2 do info[reply[i]] = reply[i + 1] end
    if info.name == consumer then
      pending = info.pending
    elseif gone == '' and info.idle > lease and not redis.call('ZSCORE', KEYS[2], info.name) then
      -- A read that was on its way when its lease was lost, or somebody who reads as this group without Keyline.
      gone = info.name
    end
  end
end

local base = string.match(KEYS[2], '^(.*)consumers$')
local unknown = redis.pcall('PEXPIRE', base .. 'consumer:' .. consumer, 2 * lease) == 0 and 1 or 0
local watched = redis.pcall('EXISTS', base .. 'watched') == 1 and 1 or 0

local state = redis.call('HMGET', KEYS[5], 'mode', 'unreported', 'unreported_from', 'unreported_to')
if state[2] then redis.call('HDEL', KEYS[5], 'unreported', 'unreported_from', 'unreported_to') end
return { pending, next_due_ms(KEYS[3], now), gone, state[1] or '', tonumber(state[2] or '0'), state[3] or '', state[4] or '',
  unknown, watched }
