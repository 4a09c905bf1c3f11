-- Figures for those who operate Keyline.

-- How much is committed that nobody is known to have brought to Valkey, counted up to `at_most` of each kind, and since when the oldest of it waits. By indexes
-- alone, which hold nothing else: whatever the planner thinks of a table that has just grown.
CREATE FUNCTION keyline.report_undelivered(at_most integer, OUT count integer, OUT oldest timestamptz) LANGUAGE plpgsql STABLE
SET enable_seqscan = off SET enable_sort = off SET plan_cache_mode = force_generic_plan AS $$
BEGIN
  SELECT
    (SELECT count(*) FROM (
      SELECT FROM keyline.job WHERE delivered_to IS NULL AND state IN ('waiting', 'scheduled') ORDER BY queue, seq LIMIT at_most) AS jobs)
    + (SELECT count(*) FROM (SELECT FROM keyline.message ORDER BY seq LIMIT at_most) AS messages)
    + (SELECT count(*) FROM (SELECT FROM keyline.event_pending LIMIT at_most) AS events)
  INTO count;
  WITH RECURSIVE firsts AS (
    (SELECT queue, added_at FROM keyline.job WHERE delivered_to IS NULL AND state IN ('waiting', 'scheduled') ORDER BY queue, seq LIMIT 1)
    UNION ALL
    SELECT next.queue, next.added_at FROM firsts CROSS JOIN LATERAL (
      SELECT job.queue, job.added_at FROM keyline.job
      WHERE job.queue > firsts.queue AND delivered_to IS NULL AND state IN ('waiting', 'scheduled') ORDER BY job.queue, seq LIMIT 1
    ) AS next
  )
  SELECT least(min(added_at), (SELECT added_at FROM keyline.message ORDER BY seq LIMIT 1)) INTO oldest
  FROM (SELECT added_at FROM firsts LIMIT at_most) AS found;
END
$$;

-- What was counted in hours that are over, of queues, streams and channels: it outlives what Valkey remembers.
CREATE TABLE keyline.figure (
  shape text NOT NULL CHECK (shape IN ('queue', 'stream', 'channel')),
  name text COLLATE "C" NOT NULL,
  -- Since 1970.
  hour integer NOT NULL,
  -- Numbers by their names, as they are on Valkey.
  counts json NOT NULL,
  PRIMARY KEY (shape, name, hour)
);
