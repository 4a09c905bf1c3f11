#!lua flags=no-writes
-- Finds out which commands this user may not use, by asking for the right alone: none of them is run, and no key is touched. Each is asked for with more words than it takes, all of
-- which are names below the prefix, so that it counts too which keys and channels the user may use.
--
-- ARGV  1 a name below the prefix
--       2.. commands, with their subcommand where they have some
-- RETURN  those that are refused

local name = ARGV[1]
local others = {
  XREADGROUP = { 'XREADGROUP', 'GROUP', 'x', 'x', 'STREAMS', name, '>' },
  XREAD = { 'XREAD', 'STREAMS', name, '0' },
  EVAL = { 'EVAL', 'return 1', '0' },
  EVALSHA = { 'EVALSHA', 'x', '0' },
}
local refused = {}
for index = 2, #ARGV do
  local words = others[ARGV[index]]
  if not words then
    words = {}
    for word in string.gmatch(ARGV[index], '%S+') do table.insert(words, word) end
    for _ = 1, 4 do table.insert(words, name) end
  end
  -- Of a command that this server does not have, nothing is refused.
  local is_known, is_allowed = pcall(redis.acl_check_cmd, unpack(words))
  if is_known and not is_allowed then table.insert(refused, ARGV[index]) end
end
return refused
