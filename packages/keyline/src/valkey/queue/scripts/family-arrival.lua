-- Part of scripts that bring children to their queues: each is added once, however often it is brought.

local function read_mark(mark)
  return string.match(mark, '^(%S+) (%d+) (.*)$')
end

-- Whether the child has come before. One that has ended: its parent asks again, as its server may have forgotten that it was told: so it is told again.
local function has_come(batch, number)
  local state = redis.call('HGET', base .. 'family-children:' .. batch, number)
  if not state then return false end
  if state ~= '' then owe(batch, { number }) end
  return true
end

-- Whoever brings it has read so long ago that it was to be brought that it may have been forgotten here meanwhile.
local function comes_too_late(deadline)
  return now() > tonumber(deadline)
end

local function note_come(batch, numbers, of)
  local key = base .. 'family-children:' .. batch
  local values = { 'of', of }
  for _, number in ipairs(numbers) do
    values[#values + 1] = number
    values[#values + 1] = ''
  end
  redis.call('HSET', key, unpack(values))
  redis.call('HINCRBY', key, 'open', #numbers)
  redis.call('PERSIST', key)
end

-- There is another job with its id.
local function refuse_child(batch, number, of, id)
  note_come(batch, { number }, of)
  note_ended(batch, number, '{"outcome":"dead","reason":"There is another job with the id ' .. id .. '"}')
  end_children()
end
