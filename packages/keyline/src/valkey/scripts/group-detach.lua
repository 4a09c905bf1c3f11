-- Prelude of record-trim.lua.
local function detach_group(events, group, prefix, now)
  error('a group is behind')
end
