-- Removes a group and all that it has. Lines have ids that are pending or in `again`, so that their keys are found there.
--
-- KEYS  1 events  2 backlog  3 consumers  4 again  5 texts of again  6 dead  7 state  8 groups
-- ARGV  1 group  2 prefix of the lines
-- RETURNS  1 when there was such a group, else 0

local existed = redis.call('HDEL', KEYS[8], ARGV[1])
for _, text in ipairs(redis.call('HVALS', KEYS[5])) do
  local key = again_key(text)
  if key then redis.call('DEL', ARGV[2] .. key) end
end
for i = 1, 2 do
  local start = '-'
  while start do
    local pending = redis.pcall('XPENDING', KEYS[i], ARGV[1], start, '+', 1000)
    start = nil
    for _, entry in ipairs(pending.err and {} or pending) do
      local _, key = read_entry(KEYS[i], entry[1])
      if key then redis.call('DEL', ARGV[2] .. key) end
      start = behind(entry[1])
    end
  end
end
if redis.pcall('XGROUP', 'DESTROY', KEYS[1], ARGV[1]) == 1 then existed = 1 end
redis.call('DEL', KEYS[2], KEYS[3], KEYS[4], KEYS[4] .. ':order', KEYS[5], KEYS[6], KEYS[7])
redis.call('UNLINK', KEYS[6] .. ':order', KEYS[6] .. ':letters', KEYS[7] .. ':left', KEYS[7] .. ':left-texts', KEYS[7] .. ':left-log')
return existed
