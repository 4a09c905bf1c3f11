-- Puts dead letters back on the queue, one after the other until they are too large for one step; the first in any case. One with an id of its
-- caller's that is known again stays a dead letter, as another job has it by now; and so does one whose key (once.lua) is held by another.
--
-- KEYS  1 workers  2 dead
-- ARGV  1 bytes  2 and on: keys of letters
-- RETURN  { how many it looked at, how many of them it put back }

local dead = KEYS[2]

local function put_back(element)
  local head = head_of(element)
  local group = string.match(head, ',"group":"([^"]*)"')
  local ready, ready_head = ready_since(element, head, now())
  if group then place_in_group(group, ready, 0) else push(ready, ready_head) end
end

local looked, moved, bytes = 0, 0, 0
for index = 2, #ARGV do
  local key = ARGV[index]
  bytes = bytes + redis.call('HSTRLEN', dead .. ':job', key)
  if looked > 0 and bytes > tonumber(ARGV[1]) then break end
  looked = looked + 1
  local job = redis.call('HGET', dead .. ':job', key)
  if job then
    local why = redis.call('HGET', dead .. ':why', key) or ''
    local own_id = string.sub(why, 1, 13) == '{"ownId":true' and string.match(key, '^(.*)\31')
    local element = string.sub(job, string.find(job, '\n', 1, true) + 1)
    local once_key = string.match(head_of(element), ',"key":"([^"]*)"')
    local is_held = once_key and redis.call('HEXISTS', base .. 'keys', once_key) == 1
    if not is_held and (not own_id or redis.call('SADD', base .. 'ids', own_id) == 1) then
      if once_key then redis.call('HSET', base .. 'keys', once_key, id_in(head_of(element))) end
      -- In this order: one that is refused stays where it is.
      local is_done, refusal = pcall(put_back, element)
      if not is_done then
        if own_id then redis.call('SREM', base .. 'ids', own_id) end
        if once_key then redis.call('HDEL', base .. 'keys', once_key) end
        return type(refusal) == 'table' and refusal or redis.error_reply(refusal)
      end
      moved = moved + remove_letter(dead, key)
    end
  end
end
placed()
return { looked, moved }
