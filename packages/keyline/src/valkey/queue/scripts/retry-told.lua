-- Part before retry.lua: tells those who follow what becomes of jobs of the attempt that failed. The last of the values: how long the id is, the id, details.

local told_length, told = string.match(ARGV[#ARGV], '^(%d+) (.*)$')
tell_event('retried', string.sub(told, 1, tonumber(told_length)), string.sub(told, told_length + 1))
