-- Takes the marks of jobs away that were looked for everywhere, and says what became of those that were dropped meanwhile. Last part.
--
-- KEYS  1 workers
-- ARGV  1 tag of the call  2... ids
-- RETURN  for each: what it was when it was dropped, or ''

local answer = {}
for index = 2, #ARGV do
  local id = ARGV[index]
  local kind, _, _, worker = mark_of(id)
  if kind == 'row' then
    -- It may still be on its way here: workers take the mark away later (cancel-sweep.lua).
    if worker == '-' then forget_mark(id) end
    if worker == '' or worker == '-' then tell_cancelled(id) end
    answer[#answer + 1] = worker == '-' and 'running' or ''
  else
    if worker == '' then forget_mark(id) end
    local outcome = redis.call('GET', base .. 'outcome:' .. id) or ''
    local was, by = string.match(outcome, '"was":"(%a+)","by":"([^"]*)"')
    answer[#answer + 1] = by == ARGV[1] and was or ''
  end
end
return answer
