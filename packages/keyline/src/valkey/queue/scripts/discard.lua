-- Removes dead letters for good.
--
-- KEYS  1 dead
-- ARGV  keys of letters
-- RETURN  how many were there

local removed = 0
for _, key in ipairs(ARGV) do removed = removed + remove_letter(KEYS[1], key) end
return removed
