-- First of the parts that say how a job's ties are loosened when it has ended for good: functions by their kind. All keys of a queue begin
-- alike, so that a part finds its own.

local ties = {}
local base = string.match(KEYS[1], '^(.*)workers$')
