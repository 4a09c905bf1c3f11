-- A page of what a consumer has and may run: for one that lost an answer and does not know any more.
--
-- KEYS  1 log  2 consumers  3 again  4 texts of again
-- ARGV  1 group  2 consumer  3 prefix of the lines  4 start: '-', or that of the page  5 page  6 lease in milliseconds
-- RETURNS  { the start of the next page or '' when it was the last page, entries as in group-turn.lua }

local taken, next_start = {}, ''
local place = { log = KEYS[1], group = ARGV[1], line_prefix = ARGV[3] }
local pending = redis.call('XPENDING', place.log, place.group, ARGV[4], '+', ARGV[5], ARGV[2])
for _, entry in ipairs(pending) do
  local is_there, key, data, trace = read_entry(place.log, entry[1])
  if is_there and is_first_in_line(place.line_prefix, key, entry[1]) then taken[#taken + 1] = { entry[1], key or false, data or false, trace } end
end
if #pending == tonumber(ARGV[5]) then next_start = behind(pending[#pending][1]) or '' end

if ARGV[4] == '-' then
  -- What it runs is due when its lease ends, or sooner.
  local until_ms = now_ms() + tonumber(ARGV[6])
  for _, id in ipairs(redis.call('ZRANGE', KEYS[3], '-inf', until_ms, 'BYSCORE', 'LIMIT', 0, 10000)) do
    local text = redis.call('HGET', KEYS[4], id)
    local _, by = again_parts(text or '')
    if by == ARGV[2] then taken[#taken + 1] = { id, text } end
  end
end
return { next_start, taken }
