-- The key that no other job is added with until this one has ended.

function ties.key(id_and_key)
  local id, key = string.match(id_and_key, '^(%S+) (.*)$')
  if key and redis.call('HGET', base .. 'keys', key) == id then redis.call('HDEL', base .. 'keys', key) end
end
