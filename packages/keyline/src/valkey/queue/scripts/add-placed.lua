-- Adds jobs that do not simply go to the tail of the queue.
--
-- KEYS  1 workers
-- ARGV  for each: element, how many names and values follow, then these:
--         id     its caller chose this id: it is not added while that is known
--         delay  milliseconds from now on     at  milliseconds since 1970
--         group  its group                    order  its place among all jobs, where that is known
--         replaces  an element that may be on the schedule and is out of date: it goes, and this one has its turn in the group. One that is there already stays
--         key, once, latest  one of them, a key: it is not added while a job with that is there (once.lua)
--         child  the mark of a child of another job (family-arrival.lua goes before then): it is added once     until  in the server's ms: later it is not added any more
--         window  for how many milliseconds, but for `key`
-- RETURN  for each: '' when it was added (nothing at all where all have only groups), else the id of the job that is there instead; for a child that has come before its mark; 'late'

-- Where the memory of the group was lost, what is out of date may stand in its line.
local function take_out_of_line(group, order, element)
  local line = base .. 'line:' .. group
  for _, text in ipairs(redis.call('ZRANGE', line, order, order, 'BYSCORE')) do
    if string.match(text, '^%d+|(.*)$') == element and redis.call('ZREM', line, text) == 1 then redis.call('DECR', base .. 'blocked') end
  end
end

local function add(element, options)
  local due = 0
  local batch, number, of
  if options.child then batch, number, of = read_mark(options.child) end
  if batch and has_come(batch, number) then return options.child end
  if batch and comes_too_late(options['until']) then return 'late' end
  if options.delay then due = now() + options.delay elseif options.at then due = tonumber(options.at) end
  if options.replaces then
    redis.call('ZREM', base .. 'scheduled', options.replaces)
    if options.group and options.order then take_out_of_line(options.group, options.order, options.replaces) end
    if redis.call('ZSCORE', base .. 'scheduled', element) then return '' end
  end
  local instead = find_instead(options, element, due)
  if instead then return instead end
  if options.id and redis.call('SADD', base .. 'ids', options.id) == 0 then
    if batch then refuse_child(batch, number, of, options.id) end
    return options.id
  end
  if batch then note_come(batch, { number }, of) end
  hold_key(options, element, due)
  local has_turn = options.replaces and options.group and is_admitted(options.group, id_in(head_of(element)))
  if options.group and not has_turn then
    local hook, text = place_in_group(options.group, element, due, options.order)
    if hook then note_hook(options, hook, text) end
  elseif due == 0 or due <= now() or not schedule(element, due) then
    push(element, head_of(element))
  end
  return ''
end

local function add_each()
  local answer = {}
  local index = 1
  while ARGV[index] do
    local last = index + 1 + ARGV[index + 1]
    local options = {}
    for at = index + 2, last, 2 do options[ARGV[at]] = ARGV[at + 1] end
    answer[#answer + 1] = add(ARGV[index], options)
    index = last + 1
  end
  return answer
end

local answer = {}
if have_only_groups() then add_grouped() else answer = add_each() end
placed()
return answer
