-- Ends a job for good without success: it leaves the held list and becomes a dead letter, and what it was tied to is loosened. Also drops letters
-- that are too old or too many: two at the most, so that there come to be no more than are kept.
--
-- KEYS  1 workers  2 held list of the worker  3 dead
-- ARGV  1 worker  2 place in the held list  3 text its element begins with
--       4 id, or '' where it has none  5 why it is dead  6 stack and element (letter.lua), or '' for no dead letter
--       7 how many letters are kept  8 for how many milliseconds
--       then what it is tied to: see loosen.lua
-- RETURN  1, or 0 when the worker does not hold the job (nothing was done)

local letter = ARGV[6] ~= '' and write_letter(KEYS[3], ARGV[4], ARGV[5], ARGV[6])
local ties_at, missing = 9, {}

local function undo()
  if letter then remove_letter(KEYS[3], letter) end
end
