-- Hands out entries again that the group had given up, unless they are under way, or still to come: a group that was lost and made anew
-- behind them will be handed them out by its log.
--
-- KEYS  1 events  2 backlog  3 state  4 again  5 texts of again  6 wake
-- ARGV  1 group  2 prefix of the lines  3 values of each: 3 (id, key or '', data) or 4 (and its trace or '')  4 and on: those of each
-- RETURNS  how many; 0 while the group is not there

local now = now_ms()
local moved = 0
local state = redis.call('HMGET', KEYS[3], 'mode', 'cursor')
local log, handed_out = KEYS[1], nil
if state[1] == 'backlog' then log, handed_out = KEYS[2], state[2] end
local groups = redis.pcall('XINFO', 'GROUPS', log)
for i = 1, groups.err and 0 or #groups do
  local info = {}
  for j = 1, #groups[i], 2 do info[groups[i][j]] = groups[i][j + 1] end
  local last = info['last-delivered-id']
  if info.name == ARGV[1] and (not handed_out or is_before(handed_out, last)) then handed_out = last end
end
if groups.err or not handed_out then return 0 end

local width = tonumber(ARGV[3])
for i = 4, #ARGV, width do
  local id, key = ARGV[i], ARGV[i + 1] ~= '' and ARGV[i + 1] or nil
  local is_under_way = redis.call('HEXISTS', KEYS[5], id) == 1 or redis.pcall('XPENDING', log, ARGV[1], id, id, 1)[1]
  if not is_under_way and not is_before(handed_out, id) then
    local line = ARGV[2] ~= '' and key and ARGV[2] .. key
    local is_first = not line or redis.call('LINDEX', line, 0) == id or redis.call('RPUSH', line, id) == 1
    put_again({ again = KEYS[4], entries = KEYS[5] }, id, again_text(0, '', key, ARGV[i + 2], width == 4 and ARGV[i + 3] ~= '' and ARGV[i + 3]), is_first and now or 'inf')
    moved = moved + 1
  end
end
if moved > 0 then wake_consumers(KEYS[6]) end
return moved
