-- Ends an attempt that did not end well: the entry waits for its next one, or is a dead letter.
--
-- KEYS  1 log  2 consumers  3 again  4 texts of again  5 dead
-- ARGV  1 group  2 consumer  3 prefix of the lines  4 id  5 key or ''  6 'retry' or 'bury'  7 attempts that count  8 milliseconds until the next one,
--       or the dead letter, '' where the record has it
-- RETURNS  { 'ended', 'taken' by somebody else or 'gone', milliseconds until the next is due again or -1 }

local place = { log = KEYS[1], again = KEYS[3], entries = KEYS[4], group = ARGV[1], line_prefix = ARGV[3] }
local consumer, id = ARGV[2], ARGV[4]
local key = ARGV[5] ~= '' and ARGV[5] or nil
local now = now_ms()
local text = redis.call('HGET', place.entries, id)
if not text and ARGV[6] == 'retry' and redis.call('XPENDING', place.log, place.group, id, id, 1)[1] then
  local is_there, its_key, data, trace = read_entry(place.log, id)
  if is_there then text = again_text(0, consumer, its_key, data, trace) end
end
-- Written first: a letter that is refused leaves the entry where it is.
local has_letter = ARGV[6] == 'bury' and ARGV[8] ~= ''
local letter_before = has_letter and redis.call('HGET', KEYS[5] .. ':letters', id)
if has_letter then write_letter(KEYS[5], id, ARGV[8]) end
local end_of_it = remove_ended(place, id, consumer)
if has_letter and end_of_it ~= 'ended' then
  if letter_before then redis.call('HSET', KEYS[5] .. ':letters', id, letter_before) else remove_letter(KEYS[5], id) end
end
if end_of_it ~= 'taken' then
  if ARGV[6] == 'retry' and end_of_it == 'ended' and text then
    local _, _, rest = again_parts(text)
    put_again(place, id, again_head(tonumber(ARGV[7]), '') .. rest, now + ARGV[8])
  else
    release_line(place, key, id, now)
  end
end
return { end_of_it, next_due_ms(place.again, now) }
