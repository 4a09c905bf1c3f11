-- The id that the job's caller chose: it is forgotten, so that it can be added again.

function ties.id(id) redis.call('SREM', base .. 'ids', id) end
