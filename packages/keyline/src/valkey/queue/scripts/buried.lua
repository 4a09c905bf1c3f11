-- Part behind bury.lua.

if letter then drop_letters(KEYS[3], tonumber(ARGV[7]), tonumber(ARGV[8]), 2) end
