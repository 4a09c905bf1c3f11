-- Part of scripts that come upon jobs which are cancelled (queue/jobs/canceller.ts).
--
-- Hash cancelled: id -> '<kind> <ms> <tag> <worker>': kind 'plain', or 'row' where the record decides; when and by which call it was cancelled; the worker that
-- was seen to hold it, if one was, or '-' where it has ended since. As long as there are marks the field `cancels` of the hash gates is there, so that every take goes through take-gated.lua; it
-- counts how often something was taken out of the middle of a list or set, so that whoever looks at one page by page knows what has moved.

local cancelled_kept_ms = 3600000

local function mark_of(id)
  local mark = redis.call('HGET', base .. 'cancelled', id)
  if not mark then return nil end
  return string.match(mark, '^(%a+) (%d+) (%S+) ?(.*)$')
end

local function forget_mark(id)
  if redis.call('HDEL', base .. 'cancelled', id) == 1 and redis.call('EXISTS', base .. 'cancelled') == 0 then
    redis.call('HDEL', base .. 'gates', 'cancels')
  end
end

-- Tells those who wait for its end (tell-end.lua), and those who follow events (tell-event.lua), if anybody does.
local function tell_cancelled(id)
  tell_event('cancelled', id)
  if redis.call('EXISTS', base .. 'ends') == 1 then tell_end(id, '', 'look', 1) end
end

-- The one place where Valkey is told that a job was cancelled, whatever was to come of it: it is nowhere any more.
local function note_cancelled(id, was, kind, tag)
  tell_cancelled(id)
  if kind == 'plain' then
    redis.call('SET', base .. 'outcome:' .. id, '{"outcome":"cancelled","was":"' .. was .. '","by":"' .. tag .. '"}', 'PX', cancelled_kept_ms)
  end
end

-- Loosens what it was tied to (ties.lua), for a job that no worker holds.
local function end_cancelled(head, was, kind, tag)
  local id = id_in(head)
  if string.find(head, ',"ownId":true', 1, true) then redis.call('SREM', base .. 'ids', id) end
  local key = string.match(head, ',"key":"([^"]*)"')
  if key and redis.call('HGET', base .. 'keys', key) == id then redis.call('HDEL', base .. 'keys', key) end
  note_cancelled(id, was, kind, tag)
  end_cancelled_family(head)
  forget_mark(id)
  local group = string.match(head, ',"group":"([^"]*)"')
  if group then leave_group(group, id) end
end

-- Ends the job with these first fields if it is marked, and returns whether it was; what the record decides goes on.
local function drop_if_marked(head, was)
  local id = id_in(head)
  if id == '' then return false end
  local kind, _, tag = mark_of(id)
  if kind ~= 'plain' then return false end
  end_cancelled(head, was, kind, tag)
  return true
end
