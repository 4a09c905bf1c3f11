-- Reads a page of a channel's history after a cursor.
--
-- KEYS  1 state  2 history
-- ARGV  1 server run or ''  2 ttl in ms  3 entries at the most, negative for the newest, 0 for none  4 '' for the beginning, else the cursor's epoch
--       5 its run  6 its count  7 its id
-- RETURNS {epoch, run, count, last, since_run, verdict, entries}: where the history ends now and what marks its last restart; then 'ok', 'lost' (the cursor is of another
--       history) or 'restarted' (the mark of a restart after the cursor is gone or behind it), and what is kept after the cursor

local history = open_history(KEYS[1], KEYS[2], ARGV[1])
local ttl = tonumber(ARGV[2])
local now = redis.call('TIME')
redis.call('XTRIM', KEYS[2], 'MINID', tonumber(now[1]) * 1000 - ttl)
if redis.call('PTTL', KEYS[1]) < state_outlives_ms then redis.call('PEXPIRE', KEYS[1], ttl + state_outlives_ms) end
local verdict, start = 'ok', '-'
if ARGV[4] ~= '' then
  if ARGV[4] ~= history.epoch then
    verdict = 'lost'
  else
    start = '(' .. ARGV[7]
    local since = history.since_run
    if ARGV[5] ~= history.run and not (is_before(ARGV[7], since) and #redis.call('XRANGE', KEYS[2], since, since) == 1) then
      verdict = 'restarted'
      -- Its own clock may have been ahead of this server's: then all that this one wrote comes after it.
      if not is_before(ARGV[7], since) then start = '(' .. since end
    end
  end
end
local entries = {}
local limit = tonumber(ARGV[3])
if limit > 0 then
  entries = redis.call('XRANGE', KEYS[2], start, '+', 'COUNT', limit)
elseif limit < 0 then
  local newest = redis.call('XREVRANGE', KEYS[2], '+', '-', 'COUNT', -limit)
  for index = #newest, 1, -1 do entries[#entries + 1] = newest[index] end
end
return { history.epoch, history.run, history.count, history.last, history.since_run or '0-0', verdict, entries }
