-- How far the job has come: it is of no use any more.

function ties.progress(id) redis.call('UNLINK', base .. 'progress:' .. id) end
