-- Stops a group, and has it begin anew at another place: what it had been handed out is nobody's any more. stream/group/group-reset.ts says how it goes on.
--
-- KEYS  1 events  2 backlog  3 consumers  4 again  5 texts of again  6 state  7 groups  8 what is to be cleared up: ids  9 texts  10 log
-- ARGV  1 group  2 the id behind which it begins, '$' for the end, '' where the record says  3 tag of this reset
--       4 milliseconds after which whoever attaches ends the reset, as nobody else has  5 '1' with keys
-- RETURNS  nil when there is no such group, else milliseconds until every consumer has stopped

local existed = redis.call('HEXISTS', KEYS[7], ARGV[1]) == 1
local has_group = {}
for i = 1, 2 do
  has_group[i] = not redis.pcall('XPENDING', KEYS[i], ARGV[1]).err
  existed = existed or has_group[i]
end
if not existed then return false end

local now = now_ms()
local last = redis.call('ZRANGE', KEYS[3], -1, -1, 'WITHSCORES')
local stopped = math.max(now, tonumber(last[2] or 0))
local start = ARGV[2]
local newest = newest_id(KEYS[1])
if start == '$' or start ~= '' and is_before(newest, start) then start = newest end
redis.call('HDEL', KEYS[6], 'mode', 'cursor', 'filled', 'swept_waiting', 'swept_pending', 'reset_to')
redis.call('HSET', KEYS[6], 'reset', ARGV[3], 'reset_until', string.format('%.0f', stopped + ARGV[4]))
if start ~= '' then redis.call('HSET', KEYS[6], 'reset_to', start) end

-- Without a lease nobody ends anything, and without the group nobody takes anything.
redis.call('DEL', KEYS[3])
redis.call('UNLINK', KEYS[8], KEYS[9], KEYS[10], KEYS[4], KEYS[4] .. ':order')
for i = 1, 2 do
  if has_group[i] and ARGV[5] == '1' then
    local from = '-'
    while from do
      local pending = redis.call('XPENDING', KEYS[i], ARGV[1], from, '+', 1000)
      from = nil
      for _, entry in ipairs(pending) do
        redis.call('RPUSH', KEYS[8], entry[1])
        from = behind(entry[1])
      end
    end
  end
  if has_group[i] then redis.call('XGROUP', 'DESTROY', KEYS[i], ARGV[1]) end
end
-- Their keys say which lines there are.
if ARGV[5] == '1' and redis.call('EXISTS', KEYS[5]) == 1 then redis.call('RENAME', KEYS[5], KEYS[9]) else redis.call('UNLINK', KEYS[5]) end
if ARGV[5] == '1' and redis.call('EXISTS', KEYS[2]) == 1 then redis.call('RENAME', KEYS[2], KEYS[10]) else redis.call('UNLINK', KEYS[2]) end
return stopped - now
