-- What became of the job, for those who wait for it (tell-end.lua); its result is kept where that is asked for.
--
-- String outcome:ID: what became of it, as JSON, until it is forgotten

local longest_told = 4096

-- For how many milliseconds the result is kept here, what became of it ('completed', 'dead' or 'look'), how long its id is, the id, the result as JSON.
function ties.result(text)
  local keep, how, length, rest = string.match(text, '^(%d+) (%a+) (%d+) (.*)$')
  local id, value = string.sub(rest, 1, tonumber(length)), string.sub(rest, length + 1)
  if how == 'dead' then redis.call('UNLINK', base .. 'outcome:' .. id) end
  if how == 'completed' and keep ~= '0' then
    local kept = '{"outcome":"completed"' .. (value == '' and '' or ',"value":' .. value) .. '}'
    redis.call('SET', base .. 'outcome:' .. id, kept, 'PX', keep)
  end
  if how == 'completed' and #value <= longest_told then
    tell_end(id, value)
  else
    tell_end(id, '', 'look', 1)
  end
end
