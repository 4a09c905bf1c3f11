-- Part of a worker's beat: 1 where the queue has gates, as `gates`: whoever was not told of them looks.

if redis.call('EXISTS', base .. 'gates') == 1 then note('gates', 1) end
