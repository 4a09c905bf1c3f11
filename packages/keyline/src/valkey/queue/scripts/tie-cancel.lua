-- The job that was cancelled while its worker held it has ended.

function ties.cancel(id)
  local kind, ms, tag, worker = mark_of(id)
  if not kind then return end
  if kind == 'row' and worker == '' then
    -- The call that cancelled it still looks for it, and is to know.
    redis.call('HSET', base .. 'cancelled', id, kind .. ' ' .. ms .. ' ' .. tag .. ' -')
    return
  end
  -- Of a row it was told when it was found here: cancel-held.lua.
  if kind == 'plain' then note_cancelled(id, 'running', kind, tag) end
  forget_mark(id)
end

-- What stood in the place of a job that was cancelled deep in a list is taken out: see cancel-page.lua.
function ties.stub()
  if redis.call('DECR', base .. 'stubs') <= 0 then redis.call('DEL', base .. 'stubs') end
end
