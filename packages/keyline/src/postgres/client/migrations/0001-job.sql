-- Unsettled jobs, and what is known of the Valkey that they were delivered to.

CREATE TABLE keyline.queue (
  name text COLLATE "C" PRIMARY KEY,
  -- The memory of the Valkey server that is in charge now; a delivery to another one does not count.
  epoch text NOT NULL DEFAULT '',
  -- The last epoch for which every older delivery was looked at again.
  rebuilt_epoch text NOT NULL DEFAULT ''
);

CREATE TABLE keyline.job (
  queue text COLLATE "C" NOT NULL,
  id text COLLATE "C" NOT NULL,
  -- The order of adding, for deliveries that are made again.
  seq bigint GENERATED ALWAYS AS IDENTITY,
  state text NOT NULL DEFAULT 'waiting' CHECK (state IN ('waiting', 'scheduled', 'dead', 'cancelled')),
  attempts integer NOT NULL DEFAULT 0,
  max_attempts integer,
  due_at timestamptz,
  added_at timestamptz NOT NULL DEFAULT now(),
  -- The epoch that it was last delivered to; NULL: not known to be delivered.
  delivered_to text,
  last_error text,
  -- Which attempt put it on the schedule: one whose answer got lost knows its own change again.
  retry_tag text,
  data json NOT NULL,
  PRIMARY KEY (queue, id)
) WITH (
  -- Rows live for milliseconds: vacuum by their number, not by their share of a table that is mostly empty.
  autovacuum_vacuum_scale_factor = 0.02,
  autovacuum_vacuum_threshold = 20000,
  autovacuum_vacuum_insert_scale_factor = 0.2,
  autovacuum_vacuum_cost_delay = 0,
  autovacuum_analyze_scale_factor = 0.05
);

-- What the relay looks for: rows that nobody is known to have delivered.
CREATE INDEX job_undelivered ON keyline.job (queue, seq)
  WHERE delivered_to IS NULL AND state IN ('waiting', 'scheduled');

CREATE INDEX job_dead ON keyline.job (queue, seq) WHERE state = 'dead';

-- Settles jobs: their rows go. An attempt that was overtaken by a later one settles nothing. Ids and attempts come as one text
-- each, with a unit separator between, which costs both ends less than an array; no attempts means none failed.
--
-- A function, for its settings and the form of its condition: with a table that was empty a minute ago the planner would
-- otherwise choose to read all of a queue's backlog to find one row, and keep that plan. Rows without a failed attempt, which
-- are nearly all, need no look at `attempts`.
CREATE FUNCTION keyline.settle_jobs(
  of_queue text, held_ids text, held_attempts text,
  OUT settled integer, OUT missing text, OUT xid text
)
LANGUAGE plpgsql
SET enable_seqscan = off SET enable_bitmapscan = off SET plan_cache_mode = force_generic_plan
AS $$
DECLARE
  ids text[] := string_to_array(held_ids, E'\x1f');
  counts integer[] := string_to_array(held_attempts, E'\x1f')::integer[];
  gone text[];
BEGIN
  WITH deleted AS (
    DELETE FROM keyline.job
    WHERE job.queue = of_queue AND job.id = ANY (ids) AND job.state IN ('waiting', 'scheduled')
      AND (job.attempts = 0 OR job.attempts <= coalesce(counts[array_position(ids, job.id)], 0))
    RETURNING job.id
  )
  SELECT array_agg(deleted.id) INTO gone FROM deleted;
  settled := coalesce(cardinality(gone), 0);
  IF settled < cardinality(ids) THEN
    missing := array_to_string(ARRAY(SELECT unnest(ids) EXCEPT SELECT unnest(gone)), E'\x1f');
  END IF;
  xid := pg_current_xact_id_if_assigned()::text;
END
$$;

-- The same for one job. Returns the transaction's id, or null when nothing was settled.
CREATE FUNCTION keyline.settle_job(of_queue text, held_id text, held_attempts integer) RETURNS text
LANGUAGE plpgsql
SET enable_seqscan = off SET enable_bitmapscan = off SET plan_cache_mode = force_generic_plan
AS $$
BEGIN
  DELETE FROM keyline.job
  WHERE job.queue = of_queue AND job.id = held_id AND job.attempts <= held_attempts AND job.state IN ('waiting', 'scheduled');
  IF FOUND THEN RETURN pg_current_xact_id()::text; END IF;
  RETURN NULL;
END
$$;

-- Notes that jobs were delivered to an epoch, if that epoch is in charge, and returns whether it is; `again` for those noted with an older one, else for
-- those noted with none. The shared lock makes a change of the epoch wait for notes under way, so that the look at older
-- deliveries, which comes after the change, sees each of them.
CREATE FUNCTION keyline.mark_delivered(of_queue text, to_epoch text, delivered_ids text, again boolean) RETURNS boolean
LANGUAGE plpgsql
SET enable_seqscan = off SET enable_bitmapscan = off SET plan_cache_mode = force_generic_plan
AS $$
BEGIN
  PERFORM FROM keyline.queue WHERE name = of_queue AND epoch = to_epoch FOR SHARE;
  IF NOT FOUND THEN RETURN false; END IF;
  UPDATE keyline.job SET delivered_to = to_epoch
    WHERE job.queue = of_queue AND job.id = ANY (string_to_array(delivered_ids, E'\x1f')) AND job.state IN ('waiting', 'scheduled')
      AND CASE WHEN again THEN job.delivered_to <> to_epoch ELSE job.delivered_to IS NULL END;
  RETURN true;
END
$$;
