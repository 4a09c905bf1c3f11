-- Takes the marks of jobs away that a worker was seen to hold, and does not any more; or that are not to be cancelled after all. Last part.
--
-- KEYS  1 workers
-- ARGV  1 the worker, or '' for whoever holds them  2... ids
-- RETURN  1

for index = 2, #ARGV do
  local _, _, _, worker = mark_of(ARGV[index])
  if ARGV[1] == '' or worker == ARGV[1] then forget_mark(ARGV[index]) end
end
return 1
