-- Prelude of the scripts that publish what comes from the outbox, each message once: its numbers grow, and the place of the last
-- one that was published is kept.

-- False for a message of the outbox that was published before. One that never was there has no number, and is always due.
local function is_due(place_key, number)
  if number == '' then return true end
  return tonumber(number) > tonumber(redis.call('GET', place_key) or 0)
end

-- Kept for thirty days: a message is out of the outbox seconds after it was published.
local function keep_place(place_key, number)
  redis.call('SET', place_key, number, 'PX', 2592000000)
end
