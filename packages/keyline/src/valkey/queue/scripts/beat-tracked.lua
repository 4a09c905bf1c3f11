-- Part of a worker's beat: who listens to what becomes of jobs, as `tracked`.

local tracked = redis.call('ZRANGE', base .. 'tracked', now, '+inf', 'BYSCORE')
if tracked[1] then note('tracked', table.concat(tracked, ' ')) end
