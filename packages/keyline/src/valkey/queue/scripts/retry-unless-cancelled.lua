-- Part before retry.lua, for a queue with gates: a job that was cancelled is not tried again. RETURN 2 then.

if redis.call('ZSCORE', KEYS[1], ARGV[1]) then
  local head = head_of(ARGV[4])
  local kind = mark_of(id_in(head))
  if kind == 'plain' then
    if not release(KEYS[2], ARGV[2], ARGV[3]) then return 0 end
    drop_if_marked(head, 'running')
    placed()
    return 2
  end
end
