-- Part of scripts behind which a parent may have what it waits for.

-- In this order: what is refused changes nothing.
local function release_family(family)
  local key = base .. 'family:' .. family
  local state = redis.call('HMGET', key, 'parked', 'open', 'dead')
  local element, dead = state[1], state[3]
  if not element or (tonumber(state[2]) > 0 and not dead) then return end
  if redis.call('ZSCORE', base .. 'scheduled', element) then
    local head = head_of(element)
    local dies = dead and ',"dies":' .. cjson.encode(dead) or ''
    push(ready_since(head .. dies .. string.sub(element, #head + 1), head .. dies, now()))
    redis.call('ZREM', base .. 'scheduled', element)
    if redis.call('HEXISTS', base .. 'gates', 'cancels') == 1 then redis.call('HINCRBY', base .. 'gates', 'cancels', 1) end
  end
  redis.call('HDEL', key, 'parked')
end
