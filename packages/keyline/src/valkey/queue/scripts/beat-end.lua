-- Last part of a worker's beat.

return answer
