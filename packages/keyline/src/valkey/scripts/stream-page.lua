-- Reads a page of a stream, and what a reader's place is judged by.
--
-- KEYS  events, state
-- ARGV  command (XRANGE or XREVRANGE), its start, its end, most entries
-- Returns {epoch, began, trimmed, last of the record or '', newest id, entries}
open_state(KEYS[2], KEYS[1])
local state = redis.call('HMGET', KEYS[2], 'epoch', 'began', 'trimmed', 'last')
local entries = redis.call(ARGV[1], KEYS[1], ARGV[2], ARGV[3], 'COUNT', ARGV[4])
return { state[1], state[2], state[3], state[4] or '', newest_id(KEYS[1]), entries }
