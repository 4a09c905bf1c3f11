-- What a dead letter says: when it died, the stack of its last error, and the history of the attempts that failed.

ALTER TABLE keyline.job
  ADD COLUMN died_at timestamptz,
  ADD COLUMN last_stack text,
  -- Attempts that failed, oldest first: the last 20, each {"at": milliseconds, "ms": how many it took, "error": text}.
  ADD COLUMN history json[];

UPDATE keyline.job SET died_at = now() WHERE state = 'dead';

-- Pages of dead letters by the time of their death. Whoever buries a job by hand may leave that out.
DROP INDEX keyline.job_dead;
CREATE INDEX job_dead ON keyline.job (queue, coalesce(died_at, added_at), id) WHERE state = 'dead';

-- What becomes of dead letters that are too old or too many. A table of its own, as nothing may hold up a change of the epoch in `queue`.
CREATE TABLE keyline.dropped_letter (
  queue text COLLATE "C" PRIMARY KEY,
  dropped bigint NOT NULL DEFAULT 0,
  -- When it was looked for such letters: one process does it for all.
  looked_at timestamptz NOT NULL DEFAULT '-infinity'
);

-- The history with what is new: of the workers that are gone, as the element tells them, the last so many as the row has not heard of, and the attempt that failed now.
CREATE FUNCTION keyline.with_failure(history json[], gone json[], unheard integer, failed json) RETURNS json[]
LANGUAGE sql IMMUTABLE
AS $$
  SELECT longer[greatest(1, cardinality(longer) - 19):]
  FROM (
    SELECT coalesce(history, '{}') || gone[greatest(1, cardinality(gone) - unheard + 1):]
      || CASE WHEN failed IS NULL THEN '{}' ELSE ARRAY[failed] END AS longer
  ) AS long
$$;
