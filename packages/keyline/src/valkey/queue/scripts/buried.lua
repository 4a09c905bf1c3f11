-- Part behind bury.lua.

-- What is refused here must not leave both the letter and the job: letters are dropped with the next one.
if letter then pcall(drop_letters, KEYS[3], tonumber(ARGV[7]), tonumber(ARGV[8]), 2) end
