-- Part of a worker's beat: 1 where jobs of the queue are parents or children, as `families`: somebody has to look after them.

if redis.call('EXISTS', base .. 'families', base .. 'family-owing') > 0 then note('families', 1) end
