-- Has a page of what is pending with a consumer handed out again, and forgets the consumer when that was all.
--
-- KEYS  1 log  2 consumers  3 again  4 texts of again  5 wake
-- ARGV  1 group  2 consumer  3 prefix of the lines  4 page  5 why: 'ended' (only if its lease has ended; what may have begun counts as an
--       attempt) or 'leaving' (it stops; attempts do not count)  6 and on: ids of `again` that it runs and gives back
-- RETURNS  { 1 when there is more, how many were moved }, or -1 when the lease has not ended

local place = { log = KEYS[1], again = KEYS[3], entries = KEYS[4], group = ARGV[1], line_prefix = ARGV[3] }
local consumer = ARGV[2]
local now = now_ms()
if ARGV[5] == 'ended' then
  local lease_end = redis.call('ZSCORE', KEYS[2], consumer)
  if lease_end and tonumber(lease_end) > now then return -1 end
end
for i = 6, #ARGV do
  local text = redis.call('HGET', place.entries, ARGV[i])
  local attempts, by, rest = again_parts(text or '')
  if by == consumer then
    redis.call('HSET', place.entries, ARGV[i], again_head(attempts - 1, '') .. rest)
    redis.call('ZADD', place.again, now, ARGV[i])
  end
end

local page = tonumber(ARGV[4])
local pending = redis.pcall('XPENDING', place.log, place.group, '-', '+', page, consumer)
if pending.err then pending = {} end
for _, entry in ipairs(pending) do move_to_again(place, entry[1], ARGV[5] == 'ended' and 1 or 0, now) end
if #pending > 0 or #ARGV >= 6 then wake_consumers(KEYS[5]) end
if #pending == page then return { 1, page } end
redis.pcall('XGROUP', 'DELCONSUMER', place.log, place.group, consumer)
redis.call('ZREM', KEYS[2], consumer)
return { 0, #pending }
