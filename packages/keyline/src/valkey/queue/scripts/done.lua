-- Last part of scripts that end the attempt of one job.

remove(KEYS[2], place)
return 1
