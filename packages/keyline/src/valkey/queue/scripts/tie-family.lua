-- The child of another job has ended: its batch, its number, its outcome as JSON (family.lua).

function ties.child(text)
  local batch, number, outcome = string.match(text, '^(%S+) (%d+) (.*)$')
  note_ended(batch, number, outcome)
end

-- A parent has ended: how, its family.
function ties.family(text)
  local how, family = string.match(text, '^(%a+) (.*)$')
  end_family(family, how)
end
