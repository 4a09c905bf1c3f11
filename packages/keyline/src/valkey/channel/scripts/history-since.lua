-- Reads a page of a channel's history after a cursor, or before one.
--
-- KEYS  1 state  2 history
-- ARGV  1 server process or ''  2 entries at the most, negative for the newest or those right before the cursor, 0 for none  3 '' without a
--       cursor, else its epoch  4 its era  5 its id
-- RETURNS {epoch, era, count, last, 1 when the cursor is of this history else 0, entries}: where the history ends now, and what is kept
--       after the cursor, or all that is kept when the cursor is of another history; before one of another history there is nothing

local history = open_history(KEYS[1], KEYS[2], ARGV[1])
if history.ttl then drop_expired(KEYS[2], tonumber(history.ttl)) end
if redis.call('PTTL', KEYS[1]) == -1 then redis.call('PEXPIRE', KEYS[1], state_outlives_ms) end
local is_known, start, stop = 1, '-', '+'
if ARGV[3] ~= '' then
  if ARGV[3] ~= history.epoch then
    is_known = 0
  else
    start, stop = '(' .. ARGV[5], '(' .. ARGV[5]
    -- The cursor may be behind what a restart lost: all that was written in later eras comes after it, whatever the clocks say.
    local era_end = ARGV[4] ~= history.era and end_of_era(history, ARGV[4])
    if era_end and is_before(era_end, ARGV[5]) then start, stop = '(' .. era_end, era_end end
  end
end
local entries = {}
local limit = tonumber(ARGV[2])
if limit > 0 then
  entries = redis.call('XRANGE', KEYS[2], start, '+', 'COUNT', limit)
elseif limit < 0 and is_known == 1 and (ARGV[3] == '' or is_before('0-0', ARGV[5])) then
  local newest = redis.call('XREVRANGE', KEYS[2], stop, '-', 'COUNT', -limit)
  for index = #newest, 1, -1 do entries[#entries + 1] = newest[index] end
end
return { history.epoch, history.era, history.count, history.last, is_known, entries }
