-- Ends a job for good without success: it leaves the held list and becomes a dead letter, and what it was tied to is loosened. Also drops letters
-- that are too old or too many: two at the most, so that there come to be no more than are kept.
--
-- KEYS  1 workers  2 held list of the worker  3 dead
-- ARGV  1 worker  2 place in the held list  3 text its element begins with
--       4 id, or '' where it has none  5 why it is dead  6 stack and element (letter.lua), or '' for no dead letter
--       7 how many letters are kept  8 for how many milliseconds
--       then what it is tied to: see loosen.lua
-- RETURN  1, or 0 when the worker does not hold the job (nothing was done)

if not redis.call('ZSCORE', KEYS[1], ARGV[1]) then return 0 end
-- In this order: a letter that is refused leaves the job where it is.
local letter = ARGV[6] ~= '' and write_letter(KEYS[3], ARGV[4], ARGV[5], ARGV[6])
if not release(KEYS[2], ARGV[2], ARGV[3]) then
  if letter then remove_letter(KEYS[3], letter) end
  return 0
end
if letter then drop_letters(KEYS[3], tonumber(ARGV[7]), tonumber(ARGV[8]), 2) end
local ties_at, missing = 9, {}
