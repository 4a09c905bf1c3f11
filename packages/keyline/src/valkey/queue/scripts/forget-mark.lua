-- Part of bury.lua: a letter that is redriven must not be found cancelled then.

if ARGV[4] ~= '' then pcall(forget_mark, ARGV[4]) end
