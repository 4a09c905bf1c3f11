-- Part of the scripts that tell of ends of jobs, in the stream `ends`: see tie-result.lua.

local ends_from

local function tell_end(...)
  local is_first = not ends_from
  if is_first then
    local last = redis.call('XREVRANGE', base .. 'ends', '+', '-', 'COUNT', 1)[1]
    ends_from = last and string.match(last[1], '^%d+') or string.format('%.0f', now())
  end
  redis.call('XADD', base .. 'ends', 'MAXLEN', '~', 1000, ends_from .. '-*', ...)
  if is_first then redis.call('PEXPIRE', base .. 'ends', 3600000) end
end
