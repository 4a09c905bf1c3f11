-- Returns what a worker holds to the head of the queue, oldest first to be taken again, at most a page a call; those that were cancelled end. Last part.
--
-- KEYS  1 workers  2 gone  3 waiting  4 held list of that worker
-- ARGV  1 worker  2 page  3 why: 'ended' (only if its lease has ended; each job's attempts go up by one, with a note of the time:
--       queue/worker/attempt-history.ts), 'leaving' (the worker stops; attempts stay), 'straggler' (it is gone, and a late move filled its list again)
-- RETURN  { how many are still held, then for each returned job the beginning of its new element (up to 300 bytes) },
--         or 0 when the lease has not ended

if ARGV[3] == 'ended' then
  local lease_end = redis.call('ZSCORE', KEYS[1], ARGV[1])
  if not lease_end or tonumber(lease_end) > now() then return 0 end
end

-- Notes that the worker is gone behind all other fields. Whether there is such a note can be seen at the end, as nothing within the data ends like a
-- list of numbers of that name.
local function note_gone(element)
  local tail = string.sub(element, -400)
  local at, _, times = string.find(tail, ',"gone":%[([%d,]+)%]}%s*$')
  if not at then at = string.find(tail, '}%s*$') end
  if not at then return element end
  local _, commas = string.gsub(times or '', ',', '')
  if commas >= 19 then times = string.gsub(times, '^%d+,', '', 1) end
  local rest = string.sub(element, 1, #element - #tail + at - 1)
  return rest .. ',"gone":[' .. (times and times .. ',' or '') .. string.format('%.0f', now()) .. ']}'
end

-- The count stands in front of everything else, so that text is enough to raise it: decoding and encoding here would
-- change what Lua's numbers and empty tables cannot hold.
local function count_attempt(element)
  local count, rest = string.match(element, '^{"attempts":(%d+),(.*)$')
  if count then return note_gone('{"attempts":' .. (count + 1) .. ',' .. rest) end
  if string.match(element, '^{%s*"') then return note_gone('{"attempts":1,' .. string.sub(element, 2)) end
  return element
end

-- Its attempt may have added children, and has not come to say so: whoever ends it forgets them as well.
local function note_family(element)
  local head = head_of(element)
  if head == '' or string.find(head, ',"family":true', 1, true) then return element end
  if redis.call('EXISTS', base .. 'family:' .. family_in(head)) == 0 then return element end
  return head .. ',"family":true' .. string.sub(element, #head + 1)
end

local answer = { 0 }
local has_families = redis.call('EXISTS', base .. 'families') == 1
local has_marks = redis.call('EXISTS', base .. 'cancelled') == 1
for _ = 1, tonumber(ARGV[2]) do
  local element = redis.call('LINDEX', KEYS[4], -1)
  if not element then break end
  if has_marks and drop_if_marked(head_of(element), 'running') then
    redis.call('RPOP', KEYS[4])
  else
    if ARGV[3] ~= 'leaving' then
      element = count_attempt(element)
      element = ready_since(element, head_of(element), now())
    end
    if has_families then element = note_family(element) end
    -- In this order: one that is refused stays where it is.
    redis.call('RPUSH', KEYS[3], element)
    redis.call('RPOP', KEYS[4])
    answer[#answer + 1] = string.sub(element, 1, 300)
  end
end
answer[1] = redis.call('LLEN', KEYS[4])
placed()
if answer[1] == 0 then
  redis.call('ZREM', KEYS[1], ARGV[1])
  redis.call('ZADD', KEYS[2], now(), ARGV[1])
end
return answer
