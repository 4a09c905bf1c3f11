-- Part of the scripts that tell what becomes of jobs to those who follow it. Nothing is written while nobody does.
--
-- Stream feed: `t` what, `id` whose, `at` when in the server's milliseconds, `d` details as JSON. Its ids are PERIOD-NUMBER, both decimal: numbers from 0 on without
-- a hole, so that a reader sees whether one is missing. Another period begins where some may be missing that were not written at all.
-- Hash feed:state: period (the present one), before (the one before it), why it began ('unwatched', 'restarted'), server (the process that wrote
-- last), ready (1 once all workers know that somebody follows: until then nothing is written)
-- Sorted set tracked: see track.lua

local events_period

local function begin_period(why)
  local state = redis.call('HMGET', base .. 'feed:state', 'period')
  local last = redis.call('XREVRANGE', base .. 'feed', '+', '-', 'COUNT', 1)[1]
  local period = now()
  if last then period = math.max(period, tonumber(string.match(last[1], '^%d+')) + 1) end
  if state[1] then period = math.max(period, tonumber(state[1]) + 1) end
  period = string.format('%.0f', period)
  redis.call('HSET', base .. 'feed:state', 'period', period, 'before', state[1] or '', 'why', why)
  return period
end

-- The period that is written in, or false while nobody follows, or not all workers know.
local function open_events()
  local till = redis.call('ZSCORE', base .. 'tracked', 'events')
  if not till or tonumber(till) < now() then return false end
  local state = redis.call('HMGET', base .. 'feed:state', 'period', 'server', 'ready')
  if not state[1] or state[3] ~= '1' then return false end
  -- A process that was restarted, and a replica that took over, may have forgotten what came last. Nobody sees that who may not ask.
  local info = redis.pcall('INFO', 'server')
  local server = type(info) == 'string' and string.match(info, 'run_id:(%w+)')
  if server and server ~= state[2] then
    redis.call('HSET', base .. 'feed:state', 'server', server)
    if state[2] then return begin_period('restarted') end
  end
  return state[1]
end

local function tell_event(what, id, details)
  if events_period == nil then events_period = open_events() end
  if not events_period then return end
  local at = string.format('%.0f', now())
  redis.call('XADD', base .. 'feed', 'MAXLEN', '~', 10000, events_period .. '-*', 't', what, 'id', id, 'at', at, 'd', details or '')
end
