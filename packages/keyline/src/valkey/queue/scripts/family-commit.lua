-- Adds children that are ready (family-stage.lua), and their parent where that is new: it rests on the schedule until they have ended. Last part.
--
-- KEYS  1 workers
-- ARGV  1 family  2 batch  3 how many rows  4 how many children  5 what the death of a child does, or ''  6 queues of all children, separated by spaces
--       then names and values:
--         element  of the parent, where it is new          id  the one that its caller chose for it
--         name     under which its handler adds them       worker  that runs the handler       begins  text that the element begins with which it holds
--         mark     of the parent, where it is a child itself that is brought to its queue     until  in the server's ms: later it is not brought any more
-- RETURN  'added'; 'known' when that was done before, or there is a job with that id; 'lost' when the rows are not there;
--         'gone' when the worker does not hold the job any more: nothing would end the family; 'late'

local family, batch = ARGV[1], ARGV[2]
local key, jobs = base .. 'family:' .. family, base .. 'family-jobs:' .. batch
local options = {}
for index = 7, #ARGV, 2 do options[ARGV[index]] = ARGV[index + 1] end

local function refuse(answer)
  redis.call('UNLINK', jobs)
  return answer
end

-- One by one: what runs was taken before what does not, and a list may be long.
local function holds(worker, begins)
  if not redis.call('ZSCORE', base .. 'workers', worker) then return false end
  local held = base .. 'held:' .. worker
  for place = 0, redis.call('LLEN', held) - 1 do
    if string.sub(redis.call('LINDEX', held, place), 1, #begins) == begins then return true end
  end
  return false
end

if redis.call('HLEN', jobs) ~= tonumber(ARGV[3]) then return refuse('lost') end
if options.worker and not holds(options.worker, options.begins) then return refuse('gone') end
if options.name and redis.call('HEXISTS', key, 'name:' .. options.name) == 1 then return refuse('known') end
local above, number, of = read_mark(options.mark or '')
if above then
  if has_come(above, number) then return refuse('known') end
  if comes_too_late(options['until']) then return refuse('late') end
end
if options.id and redis.call('SADD', base .. 'ids', options.id) == 0 then
  if above then refuse_child(above, number, of, options.id) end
  return refuse('known')
end
if above then note_come(above, { number }, of) end
redis.call('PERSIST', jobs)
local batches = redis.call('HGET', key, 'batches')
redis.call('HSET', key, 'batches', (batches and batches .. ' ' or '') .. batch .. ':' .. ARGV[4], 'moved:' .. batch, 0)
redis.call('HINCRBY', key, 'open', ARGV[4])
redis.call('HSETNX', key, 'death', 'die')
if ARGV[5] ~= '' then redis.call('HSET', key, 'death', ARGV[5]) end
if options.name then redis.call('HSET', key, 'name:' .. options.name, batch) end
local queues = redis.call('HGET', key, 'queues')
for queue in string.gmatch(ARGV[6], '%S+') do
  if not queues then
    queues = queue
  elseif not string.find(' ' .. queues .. ' ', ' ' .. queue .. ' ', 1, true) then
    queues = queues .. ' ' .. queue
  end
end
redis.call('HSET', key, 'queues', queues)
-- What was to be forgotten of a parent that died, and was redriven, is needed again.
redis.call('HDEL', key, 'ended')
keep_family(family, nil)
if options.element then
  redis.call('ZADD', base .. 'scheduled', rests_until, options.element)
  redis.call('HSET', key, 'parked', options.element)
end
-- Whoever adds them brings them to their queues at once.
look_after(family, now() + 5000)
signal('family')
return 'added'
