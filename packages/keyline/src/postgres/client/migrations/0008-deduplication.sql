-- Jobs of which only one with a key is to be there.

ALTER TABLE keyline.job
  -- No other job with this key is added while this one is not settled and not dead.
  ADD COLUMN dedupe_key text COLLATE "C",
  -- It has not begun: a later add may still replace its data and its time.
  ADD COLUMN is_latest boolean;

CREATE UNIQUE INDEX job_dedupe_key ON keyline.job (queue, dedupe_key) WHERE dedupe_key IS NOT NULL AND state IN ('waiting', 'scheduled');

-- Keys that are held for a time, whatever becomes of the job.
CREATE TABLE keyline.deduplication (
  queue text COLLATE "C" NOT NULL,
  key text COLLATE "C" NOT NULL,
  -- Which of those that are added until then counts.
  keep text NOT NULL CHECK (keep IN ('first', 'latest')),
  job_id text COLLATE "C" NOT NULL,
  until timestamptz NOT NULL,
  PRIMARY KEY (queue, key, keep)
);

CREATE INDEX deduplication_until ON keyline.deduplication (queue, until);

-- Adds jobs, some of them with keys: one after the other, so that each statement sees what others have committed meanwhile. For each of them `there` is the id of the
-- job that is there now: it was added, or that one is there instead. A key is held with `keep` 'first' or 'latest' for as many milliseconds as its window, and without
-- `keep` until the job has ended. `sooner` has what is to be known of a job that is due earlier than it was, so that Valkey has to be told: its element there comes too late.
-- In a group that does not help, as the element that is there keeps the group's turn.
--
-- They are added by the order of their keys, so that two calls never wait for each other; their places among all jobs are by the order in which they were given.
CREATE FUNCTION keyline.add_once(
  of_queue text, ids text[], datas text[], most_attempts integer[], delays float8[], run_ats float8[], priorities text[], groups text[],
  own_ids boolean[], keys text[], windows float8[], keeps text[]
) RETURNS TABLE (place bigint, there text, added boolean, in_order text, sooner json)
LANGUAGE plpgsql
SET enable_seqscan = off SET enable_bitmapscan = off SET plan_cache_mode = force_generic_plan
AS $$
#variable_conflict use_column
DECLARE
  job record;
  due timestamptz;
  due_before timestamptz;
BEGIN
  FOR job IN
    SELECT numbered.* FROM (
      SELECT given.*, nextval(pg_get_serial_sequence('keyline.job', 'seq')) AS seq
      FROM unnest(ids, datas, most_attempts, delays, run_ats, priorities, groups, own_ids, keys, windows, keeps) WITH ORDINALITY
        AS given (id, data, max_attempts, delay, run_at, priority, group_name, is_own, key, hold, keep, number)
      OFFSET 0
    ) AS numbered ORDER BY numbered.key NULLS FIRST, numbered.number
  LOOP
    there := NULL;
    added := false;
    sooner := NULL;

    IF job.keep = 'first' THEN
      SELECT known.job_id INTO there FROM keyline.deduplication AS known
        WHERE known.queue = of_queue AND known.key = job.key AND known.keep = 'first' AND known.until > clock_timestamp();
      IF there IS NULL AND job.is_own THEN
        SELECT known.id INTO there FROM keyline.job AS known WHERE known.queue = of_queue AND known.id = job.id;
      END IF;
      IF there IS NULL THEN
        INSERT INTO keyline.deduplication AS known (queue, key, keep, job_id, until)
          VALUES (of_queue, job.key, 'first', job.id, clock_timestamp() + job.hold * interval '1 millisecond')
          ON CONFLICT (queue, key, keep) DO UPDATE SET job_id = excluded.job_id, until = excluded.until WHERE known.until <= clock_timestamp();
        IF NOT FOUND THEN
          SELECT known.job_id INTO there FROM keyline.deduplication AS known
            WHERE known.queue = of_queue AND known.key = job.key AND known.keep = 'first';
        END IF;
      END IF;
    ELSIF job.keep = 'latest' THEN
      LOOP
        INSERT INTO keyline.deduplication (queue, key, keep, job_id, until)
          VALUES (of_queue, job.key, 'latest', job.id, clock_timestamp() + job.hold * interval '1 millisecond')
          ON CONFLICT (queue, key, keep) DO NOTHING;
        EXIT WHEN FOUND;
        SELECT known.job_id INTO there FROM keyline.deduplication AS known
          WHERE known.queue = of_queue AND known.key = job.key AND known.keep = 'latest' FOR UPDATE;
        CONTINUE WHEN there IS NULL;
        due := clock_timestamp() + job.hold * interval '1 millisecond';
        SELECT known.due_at INTO due_before FROM keyline.job AS known WHERE known.queue = of_queue AND known.id = there;
        UPDATE keyline.job AS known SET data = job.data::json, due_at = due,
            delivered_to = CASE WHEN due >= due_before OR known.group_name IS NOT NULL THEN known.delivered_to END
          WHERE known.queue = of_queue AND known.id = there AND known.state = 'scheduled' AND known.is_latest AND known.due_at > clock_timestamp()
          RETURNING CASE WHEN due < due_before AND known.group_name IS NULL THEN json_build_object(
            'at', floor(extract(epoch FROM known.added_at) * 1000), 'maxAttempts', known.max_attempts, 'priority', known.priority
          ) END INTO sooner;
        IF NOT FOUND THEN there := NULL; END IF;
        UPDATE keyline.deduplication AS known SET job_id = coalesce(there, job.id), until = due
          WHERE known.queue = of_queue AND known.key = job.key AND known.keep = 'latest';
        EXIT;
      END LOOP;
    END IF;

    WHILE there IS NULL LOOP
      due := coalesce(to_timestamp(job.run_at / 1000), clock_timestamp() + job.delay * interval '1 millisecond');
      INSERT INTO keyline.job (queue, id, seq, data, max_attempts, due_at, state, priority, group_name, dedupe_key, is_latest)
        OVERRIDING SYSTEM VALUE
        VALUES (of_queue, job.id, job.seq, job.data::json, job.max_attempts, due, CASE WHEN due > clock_timestamp() THEN 'scheduled' ELSE 'waiting' END,
          job.priority, job.group_name, CASE WHEN job.keep IS NULL THEN job.key END, CASE WHEN job.keep = 'latest' THEN true END)
        ON CONFLICT DO NOTHING;
      IF FOUND THEN
        there := job.id;
        added := true;
      ELSE
        SELECT known.id INTO there FROM keyline.job AS known
          WHERE known.queue = of_queue AND job.keep IS NULL AND known.dedupe_key = job.key AND known.state IN ('waiting', 'scheduled');
        IF there IS NULL THEN
          SELECT known.id INTO there FROM keyline.job AS known WHERE known.queue = of_queue AND known.id = job.id;
        END IF;
      END IF;
    END LOOP;

    place := job.number;
    in_order := job.seq::text;
    RETURN NEXT;
  END LOOP;
END
$$;
