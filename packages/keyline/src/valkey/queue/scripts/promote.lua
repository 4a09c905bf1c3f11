-- Moves jobs whose time has come from the schedule to the queue. Last part.
--
-- KEYS  1 workers
-- ARGV  1 how many at the most
-- RETURN  milliseconds until the next one is due (0: more are due now), or -1 when none is scheduled

local due = redis.call('ZRANGE', base .. 'scheduled', '-inf', now(), 'BYSCORE', 'LIMIT', 0, ARGV[1], 'WITHSCORES')
local has_marks = #due > 0 and redis.call('EXISTS', base .. 'cancelled') == 1
local ready, count = {}, 0

-- Those that simply go to the tail go there together. In this order: what is refused stays where it is, at the front of the schedule.
local function push_ready()
  if count == 0 then return end
  redis.call('LPUSH', base .. 'waiting', unpack(ready, 1, count))
  redis.call('ZREMRANGEBYRANK', base .. 'scheduled', 0, count - 1)
  count = 0
end

for index = 1, #due, 2 do
  local element = due[index]
  local head = head_of(element)
  local group = string.match(head, ',"group":"([^"]*)"')
  if not (has_marks or group or string.find(head, ',"priority":"', 1, true)) then
    count = count + 1
    ready[count] = ready_since(element, head, due[index + 1])
  else
    push_ready()
    if has_marks and drop_if_marked(head, 'scheduled') then
      -- It was cancelled.
    elseif group and not is_admitted(group, id_in(head)) then
      place_in_group(group, (ready_since(element, head, due[index + 1])), 0)
    else
      push(ready_since(element, head, due[index + 1]))
    end
    redis.call('ZREM', base .. 'scheduled', element)
  end
end
push_ready()
local next_due = redis.call('ZRANGE', base .. 'scheduled', 0, 0, 'WITHSCORES')
if next_due[2] then return math.max(0, next_due[2] - now()) end
return -1
