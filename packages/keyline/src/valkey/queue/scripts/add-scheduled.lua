-- Adds jobs that only wait for their time.
--
-- KEYS  1 workers
-- ARGV  for each: when it is due, in milliseconds since 1970 or, behind a plus, from now on; its element

local scores, earliest = {}, math.huge
for index = 1, #ARGV, 2 do
  local time, element = ARGV[index], ARGV[index + 1]
  local due = tonumber(time)
  if string.byte(time) == 43 then due = now() + due end
  if due <= now() then
    push(element, head_of(element))
  else
    scores[#scores + 1] = due
    scores[#scores + 1] = element
    if due < earliest then earliest = due end
  end
end
if #scores > 0 then
  local first = redis.call('ZRANGE', base .. 'scheduled', 0, 0, 'WITHSCORES')[2]
  redis.call('ZADD', base .. 'scheduled', unpack(scores))
  is_earliest = not first or earliest < tonumber(first)
end
placed()
