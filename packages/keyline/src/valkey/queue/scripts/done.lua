-- Last part of scripts that end one job.

return 1
