-- Reads a page of the marks, and takes those away that have no more meaning: old ones, of calls that did not come to their end, and those of jobs whose worker is
-- gone, as whoever took them from it has ended them. Last part.
--
-- KEYS  1 workers
-- ARGV  1 the worker that asks  2 cursor  3 page
-- RETURN  { next cursor, then for each mark of a job that this worker may hold: id, 1 when it was seen to hold it }

local reply = redis.call('HSCAN', base .. 'cancelled', ARGV[2], 'COUNT', ARGV[3])
local answer = { reply[1] }

local function is_gone(worker)
  return not redis.call('ZSCORE', base .. 'workers', worker) and redis.call('LLEN', base .. 'held:' .. worker) == 0
end

for index = 1, #reply[2], 2 do
  local id = reply[2][index]
  local kind, ms, _, worker = string.match(reply[2][index + 1], '^(%a+) (%d+) (%S+) ?(.*)$')
  local is_over = not kind
  if kind and (worker == '' or worker == '-') then is_over = now() - tonumber(ms) > (kind == 'plain' and cancelled_kept_ms or 60000) end
  if kind and worker ~= '' and worker ~= '-' then is_over = is_gone(worker) end
  if is_over then
    forget_mark(id)
  elseif worker == '' or worker == ARGV[1] then
    answer[#answer + 1] = id
    answer[#answer + 1] = worker == '' and 0 or 1
  end
end
return answer
