-- What is remembered of jobs.
--
-- KEYS  1 workers
-- ARGV  ids
-- RETURN  for each: its outcome as JSON; 'open' where its id is its caller's and known; why it is dead behind 'dead '; or ''

local answer = {}
for index, id in ipairs(ARGV) do
  local found = ''
  if redis.call('SISMEMBER', base .. 'ids', id) == 1 then
    found = 'open'
  else
    local outcome = redis.call('GET', base .. 'outcome:' .. id)
    local letter = not outcome and redis.call('ZRANGE', base .. 'dead:ids', '(' .. id .. '\32', '[' .. id .. '\31', 'BYLEX', 'REV', 'LIMIT', 0, 1)[1]
    if outcome then
      found = outcome
    elseif letter then
      found = 'dead ' .. (redis.call('HGET', base .. 'dead:why', letter) or '')
    end
  end
  answer[index] = found
end
return answer
