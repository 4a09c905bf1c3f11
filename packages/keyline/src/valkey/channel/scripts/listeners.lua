-- How many connections are subscribed to a channel by its name. It is a script so that a cluster's client sends it to the node that has the channel's slot.
--
-- KEYS  1 live channel
-- ARGV  1 SHARDNUMSUB or NUMSUB
-- RETURNS how many

return redis.call('PUBSUB', ARGV[1], KEYS[1])[2]
