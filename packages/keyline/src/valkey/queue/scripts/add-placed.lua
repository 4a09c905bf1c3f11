-- Adds jobs that do not simply go to the tail of the queue.
--
-- KEYS  1 workers
-- ARGV  for each: element, how many names and values follow, then these:
--         id     its caller chose this id: it is not added while that is known
--         delay  milliseconds from now on     at  milliseconds since 1970
--         group  its group                    order  its place among all jobs, where that is known
-- RETURN  for each: '' when it was added, else the id of the job that is there instead

local answer = {}
local index = 1
while ARGV[index] do
  local element = ARGV[index]
  local last = index + 1 + ARGV[index + 1]
  local options = {}
  for at = index + 2, last, 2 do options[ARGV[at]] = ARGV[at + 1] end
  index = last + 1
  if options.id and redis.call('SADD', base .. 'ids', options.id) == 0 then
    answer[#answer + 1] = options.id
  else
    local due = 0
    if options.delay then due = now() + options.delay elseif options.at then due = tonumber(options.at) end
    if options.group then
      place_in_group(options.group, element, due, options.order)
    elseif due == 0 or due <= now() or not schedule(element, due) then
      push(element, head_of(element))
    end
    answer[#answer + 1] = ''
  end
end
placed()
return answer
