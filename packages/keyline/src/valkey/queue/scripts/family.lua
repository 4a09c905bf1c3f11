-- Part of scripts by which families of plain queues go on: queue/families/plain-families.ts says how. Of a parent, in the slot of its queue, where FAMILY is its id, @, and when it was added:
--
-- Hash family:FAMILY
--   open       how many children have not ended        death      what the death of a child does: 'die', 'ignore' or 'value'
--   parked     the element that rests on the schedule until they have        dead  why the parent is to die
--   batches    '<batch>:<how many>' for each time that children were added, separated by spaces        moved:BATCH  so many of them were brought to their queues
--   name:NAME  the batch that a handler has added under that name        queues     those of the children, separated by spaces
--   epochs     the memories of the servers as of which `moved` counts        ended     how the parent has ended, while there is still something to do, and ended_at when
-- Hash family-jobs:BATCH: number of a child -> '<queue> <id> +<what is to be added>', or once it has ended '<queue> <id> =<outcome as JSON>'; b and a number -> what is below one of them
-- Sorted set families: family -> when to look after it
--
-- Of children, in the slot of their queue; a mark is '<batch> <number> <queue> <family>':
--
-- Hash family-children:BATCH: number of a child that has come -> '' while it has not ended, then its outcome, as JSON; `of`: '<queue> <family>'; `open`: how many have not ended.
--     It goes five minutes after the parent knew of the last end
-- Set family-owed:BATCH: numbers of those that have ended and of which the parent is to be told
-- Set family-owing: batches that have such

local rests_until = 900000000000000
local dead_kept_ms = 30 * 86400000

-- The job's family, by its first fields.
local function family_in(head)
  return (string.match(head, '"id":"([^"]+)"') or '') .. '@' .. (string.match(head, ',"at":(%d+)') or '')
end

local function batches_of(family)
  local found = {}
  for batch, count in string.gmatch(redis.call('HGET', base .. 'family:' .. family, 'batches') or '', '(%S+):(%d+)') do
    found[#found + 1] = { name = batch, count = tonumber(count) }
  end
  return found
end

local function moved_of(family, batch)
  return tonumber(redis.call('HGET', base .. 'family:' .. family, 'moved:' .. batch) or 0)
end

local function keep_family(family, ms)
  local keys = { base .. 'family:' .. family }
  for _, batch in ipairs(batches_of(family)) do keys[#keys + 1] = base .. 'family-jobs:' .. batch.name end
  for _, key in ipairs(keys) do
    if ms then redis.call('PEXPIRE', key, ms) else redis.call('PERSIST', key) end
  end
end

local function forget_family(family)
  local keys = { base .. 'family:' .. family }
  for _, batch in ipairs(batches_of(family)) do keys[#keys + 1] = base .. 'family-jobs:' .. batch.name end
  redis.call('UNLINK', unpack(keys))
end

local function look_after(family, at)
  redis.call('ZADD', base .. 'families', string.format('%.0f', at), family)
end

-- The parent has ended: how is 'completed', 'dead' or 'cancelled'. What a dead one was told stays for a redrive.
local function end_family(family, how)
  local key = base .. 'family:' .. family
  if redis.call('EXISTS', key) == 0 then return end
  local is_moved = true
  for _, batch in ipairs(batches_of(family)) do
    if moved_of(family, batch.name) < batch.count then is_moved = false end
  end
  redis.call('HDEL', key, 'parked', 'dead')
  if how ~= 'cancelled' and is_moved then
    if how == 'dead' then keep_family(family, dead_kept_ms) else forget_family(family) end
    redis.call('ZREM', base .. 'families', family)
    return
  end
  redis.call('HSET', key, 'ended', how, 'ended_at', string.format('%.0f', now()))
  look_after(family, now())
  signal('family')
end

local ended, ended_batches = {}, {}

local function note_ended(batch, number, outcome)
  local some = ended[batch]
  if not some then
    some = { numbers = {}, outcomes = {} }
    ended[batch] = some
    ended_batches[#ended_batches + 1] = batch
  end
  some.numbers[#some.numbers + 1] = number
  some.outcomes[#some.outcomes + 1] = outcome
end

local function owe(batch, numbers)
  redis.call('SADD', base .. 'family-owed:' .. batch, unpack(numbers))
  redis.call('SADD', base .. 'family-owing', batch)
end

-- Those that were noted have ended: their parents are to be told. One that was redriven has ended before.
local function end_children()
  for _, batch in ipairs(ended_batches) do
    local numbers, outcomes = ended[batch].numbers, ended[batch].outcomes
    local known = redis.call('HMGET', base .. 'family-children:' .. batch, unpack(numbers))
    local open, values = {}, {}
    for index, number in ipairs(numbers) do
      if known[index] == '' then
        open[#open + 1] = number
        values[#values + 1] = number
        values[#values + 1] = outcomes[index]
      end
    end
    if #open > 0 then
      redis.call('HSET', base .. 'family-children:' .. batch, unpack(values))
      redis.call('HINCRBY', base .. 'family-children:' .. batch, 'open', -#open)
      owe(batch, open)
    end
  end
  ended, ended_batches = {}, {}
end

-- The same for a job, by its first fields, that was cancelled and that no worker holds.
local function end_cancelled_family(head)
  local batch, number = string.match(head, ',"parent":"(%S+) (%d+) ')
  if batch then
    note_ended(batch, number, '{"outcome":"cancelled"}')
    end_children()
    signal('family')
  end
  -- Its element does not say so where it has added children in an attempt that nobody has ended.
  end_family(family_in(head), 'cancelled')
end
