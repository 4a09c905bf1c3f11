-- Part of add-placed.lua: jobs of which only one with a key is to be there.
--
-- Hash keys: key -> id of the job that holds it until it has ended (tie-key.lua)
-- String dedupe:KEY: id of the job that was added first, for as long as no other is
-- String latest:KEY: '<due>|<element>' of the job that gets the data of the latest add, until it is due; in front of that '<hook>\31' where it stands in
--         the line of its group (groups.lua)

-- Puts the data of `element` into the job of that key that is still to come; returns its id, or false when there is none.
local function replace_latest(key, element, due)
  local text = redis.call('GET', base .. 'latest:' .. key)
  if not text then return false end
  local hook, member = string.match(text, '^([^\31]*)\31(.*)$')
  member = member or text
  local old_due, old = string.match(member, '^(%d+)|(.*)$')
  if tonumber(old_due) <= now() then return false end
  local head = head_of(old)
  local new = head .. string.sub(element, #head_of(element) + 1)
  local new_member = due .. '|' .. new
  -- In this order: where memory has run out the first is refused, and nothing is done.
  if redis.call('ZSCORE', base .. 'scheduled', old) then
    redis.call('ZADD', base .. 'scheduled', due, new)
    if new ~= old then redis.call('ZREM', base .. 'scheduled', old) end
    if due < tonumber(old_due) then is_earliest = true end
  else
    local group = string.match(head, ',"group":"([^"]*)"') or ''
    if hook and redis.call('HGET', base .. 'lines', hook) == member then
      redis.call('HSET', base .. 'lines', hook, new_member)
    else
      local place = redis.call('ZSCORE', base .. 'line:' .. group, member)
      if not place then return false end
      redis.call('ZADD', base .. 'line:' .. group, place, new_member)
      if new_member ~= member then redis.call('ZREM', base .. 'line:' .. group, member) end
    end
  end
  redis.call('SET', base .. 'latest:' .. key, (hook and hook .. '\31' or '') .. new_member, 'PX', math.max(1, due - now()))
  return id_in(head)
end

-- The id of the job that is there instead of the new one, or false. Writes nothing but what replaces the data of that job.
local function find_instead(options, element, due)
  if options.key then return redis.call('HGET', base .. 'keys', options.key) end
  if options.once then return redis.call('GET', base .. 'dedupe:' .. options.once) end
  if options.latest then return replace_latest(options.latest, element, due) end
  return false
end

-- The new job is the one that is there from now on.
local function hold_key(options, element, due)
  local id = id_in(head_of(element))
  if options.key then redis.call('HSET', base .. 'keys', options.key, id) end
  if options.once then redis.call('SET', base .. 'dedupe:' .. options.once, id, 'PX', options.window) end
  if options.latest then
    redis.call('SET', base .. 'latest:' .. options.latest, due .. '|' .. element, 'PX', options.window)
  end
end

-- It stands in the line of its group, where that text hangs on that.
local function note_hook(options, hook, text)
  if not options.latest then return end
  redis.call('SET', base .. 'latest:' .. options.latest, hook .. '\31' .. text, 'PX', options.window)
end
