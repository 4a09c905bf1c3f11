-- What became of jobs that have ended, where that is remembered; and jobs that have more than their row.

ALTER TABLE keyline.job
  -- Other rows belong to it, which go or learn of it when it ends: see keyline.end_special.
  ADD COLUMN is_special boolean;

CREATE TABLE keyline.outcome (
  queue text COLLATE "C" NOT NULL,
  id text COLLATE "C" NOT NULL,
  outcome text NOT NULL CHECK (outcome IN ('completed', 'cancelled')),
  -- What its handler returned, where that is kept.
  value json,
  ended_at timestamptz NOT NULL DEFAULT now(),
  -- Until when it is remembered.
  until timestamptz NOT NULL,
  PRIMARY KEY (queue, id)
);

CREATE INDEX outcome_until ON keyline.outcome (until);

-- Called in the transaction that ends jobs which are special: `how` is 'completed', 'dead', 'cancelled', or 'removed' for a dead letter that goes for good.
-- A function of its own, so that those which end jobs need no change when there is more that belongs to a job.
CREATE FUNCTION keyline.end_special(of_queue text, ended_ids text[], how text) RETURNS boolean
LANGUAGE plpgsql
AS $$
BEGIN
  RETURN true;
END
$$;

-- As before; and what belongs to special ones ends too.
CREATE OR REPLACE FUNCTION keyline.settle_jobs(
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
  special text[];
BEGIN
  WITH deleted AS (
    DELETE FROM keyline.job
    WHERE job.queue = of_queue AND job.id = ANY (ids) AND job.state IN ('waiting', 'scheduled')
      AND (job.attempts = 0 OR job.attempts <= coalesce(counts[array_position(ids, job.id)], 0))
    RETURNING job.id, job.is_special
  )
  SELECT array_agg(deleted.id), array_agg(deleted.id) FILTER (WHERE deleted.is_special) INTO gone, special FROM deleted;
  IF special IS NOT NULL THEN PERFORM keyline.end_special(of_queue, special, 'completed'); END IF;
  settled := coalesce(cardinality(gone), 0);
  IF settled < cardinality(ids) THEN
    missing := array_to_string(ARRAY(SELECT unnest(ids) EXCEPT SELECT unnest(gone)), E'\x1f');
  END IF;
  xid := pg_current_xact_id_if_assigned()::text;
END
$$;

CREATE OR REPLACE FUNCTION keyline.settle_job(of_queue text, held_id text, held_attempts integer) RETURNS text
LANGUAGE plpgsql
SET enable_seqscan = off SET enable_bitmapscan = off SET plan_cache_mode = force_generic_plan
AS $$
DECLARE
  special boolean;
BEGIN
  DELETE FROM keyline.job
  WHERE job.queue = of_queue AND job.id = held_id AND job.attempts <= held_attempts AND job.state IN ('waiting', 'scheduled')
  RETURNING job.is_special INTO special;
  IF NOT FOUND THEN RETURN NULL; END IF;
  IF special THEN PERFORM keyline.end_special(of_queue, ARRAY[held_id], 'completed'); END IF;
  RETURN pg_current_xact_id()::text;
END
$$;
