-- What became of the job, for those who follow that (tell-event.lua): what, how long its id is, the id, details.

function ties.event(text)
  local what, length, rest = string.match(text, '^(%a+) (%d+) (.*)$')
  tell_event(what, string.sub(rest, 1, tonumber(length)), string.sub(rest, length + 1))
end
