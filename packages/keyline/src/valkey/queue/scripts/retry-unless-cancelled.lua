-- Part before retry.lua, for a queue with gates: a job that was cancelled is not tried again. RETURN 2 then.

if drop_if_marked(head_of(ARGV[4]), 'running') then
  remove(KEYS[2], place)
  placed()
  return 2
end
