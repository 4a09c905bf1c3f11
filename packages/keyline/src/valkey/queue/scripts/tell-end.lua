-- Part of the scripts that end jobs: tells that one has ended to those who wait for it.
--
-- Stream ends: a field with the job's id as its name, and what the job was completed with as JSON, or nothing; another one, `look`, where that is not all there is to know.
-- Its ids are one after the other in one millisecond, the first one's, so that a reader sees whether one is missing.

local ends_from

local function tell_end(id, value, ...)
  local is_first = not ends_from
  if is_first then
    local last = redis.call('XREVRANGE', base .. 'ends', '+', '-', 'COUNT', 1)[1]
    ends_from = last and string.match(last[1], '^%d+')
    if not ends_from then
      local time = redis.call('TIME')
      ends_from = string.format('%.0f', time[1] * 1000 + math.floor(time[2] / 1000))
    end
  end
  redis.call('XADD', base .. 'ends', 'MAXLEN', '~', 1000, ends_from .. '-*', id, value, ...)
  if is_first then redis.call('PEXPIRE', base .. 'ends', 3600000) end
end
