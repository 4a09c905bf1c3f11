-- Part of the scripts that end jobs of a queue with gates: an id that may be added again must not be found cancelled then.

local loosen_id = ties.id
function ties.id(id)
  loosen_id(id)
  forget_mark(id)
end
