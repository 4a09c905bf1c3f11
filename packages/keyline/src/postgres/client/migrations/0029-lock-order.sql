-- Whoever locks rows of several jobs takes them by the order of their ids, or leaves out those that are locked: so that no two statements wait for each other. What a caller's transaction locks
-- with one statement after the other has no order, so what Keyline writes by itself beside it leaves out what is locked.

-- Notes that jobs were delivered to an epoch, if that epoch is in charge. As `note_delivered` before, but `busy` are those of them whose rows somebody is at: they are to be noted later.
-- The CASE keeps the planner from reading all that nobody has delivered (job_undelivered) in place of the rows with these ids.
CREATE FUNCTION keyline.note_delivered_to(
  of_queue text, to_epoch text, delivered_ids text, of_redrive text, OUT is_in_charge boolean, OUT busy text
)
LANGUAGE plpgsql
SET enable_seqscan = off SET enable_bitmapscan = off SET plan_cache_mode = force_generic_plan
AS $$
DECLARE
  ids text[] := string_to_array(delivered_ids, E'\x1f');
  noted text[];
BEGIN
  PERFORM FROM keyline.queue WHERE name = of_queue AND epoch = to_epoch FOR SHARE;
  is_in_charge := FOUND;
  IF NOT is_in_charge THEN RETURN; END IF;
  WITH written AS (
    UPDATE keyline.job SET delivered_to = to_epoch WHERE ctid = ANY (ARRAY(
      SELECT job.ctid FROM keyline.job
        WHERE job.queue = of_queue AND job.id = ANY (ids) AND job.state IN ('waiting', 'scheduled')
          AND CASE WHEN job.parks IS NULL THEN job.delivered_to IS NULL END
          AND CASE WHEN job.retry_tag LIKE 'redriven:%' THEN job.retry_tag = of_redrive ELSE true END
        FOR NO KEY UPDATE SKIP LOCKED
    )) RETURNING job.id
  )
  SELECT array_agg(written.id) INTO noted FROM written;
  IF cardinality(noted) = cardinality(ids) THEN RETURN; END IF;
  SELECT string_agg(job.id, E'\x1f') INTO busy FROM keyline.job
    WHERE job.queue = of_queue AND job.id = ANY (ARRAY(SELECT unnest(ids) EXCEPT SELECT unnest(noted))) AND job.state IN ('waiting', 'scheduled')
      AND CASE WHEN job.parks IS NULL THEN job.delivered_to IS NULL END
      AND CASE WHEN job.retry_tag LIKE 'redriven:%' THEN job.retry_tag = of_redrive ELSE true END;
END
$$;

-- Processes of older versions note in this way. What it leaves out is brought by the relay a second time.
CREATE OR REPLACE FUNCTION keyline.note_delivered(of_queue text, to_epoch text, delivered_ids text, of_redrive text) RETURNS boolean
LANGUAGE sql
AS $$ SELECT is_in_charge FROM keyline.note_delivered_to(of_queue, to_epoch, delivered_ids, of_redrive) $$;

-- As before, without a wait: the relay has locked what it notes, and a row that still names an older epoch than that of its element is looked at by the next rebuild.
CREATE OR REPLACE FUNCTION keyline.mark_delivered(of_queue text, to_epoch text, delivered_ids text, again boolean) RETURNS boolean
LANGUAGE plpgsql
SET enable_seqscan = off SET enable_bitmapscan = off SET plan_cache_mode = force_generic_plan
AS $$
BEGIN
  PERFORM FROM keyline.queue WHERE name = of_queue AND epoch = to_epoch FOR SHARE;
  IF NOT FOUND THEN RETURN false; END IF;
  UPDATE keyline.job SET delivered_to = to_epoch WHERE ctid = ANY (ARRAY(
    SELECT job.ctid FROM keyline.job
      WHERE job.queue = of_queue AND job.id = ANY (string_to_array(delivered_ids, E'\x1f')) AND job.state IN ('waiting', 'scheduled')
        AND CASE WHEN again THEN job.delivered_to <> to_epoch ELSE job.delivered_to IS NULL END
      FOR NO KEY UPDATE SKIP LOCKED
  ));
  RETURN true;
END
$$;

-- Locks the keys of those jobs that replace others, in the order of the keys, and then the jobs that hold them, in the order of their ids. Returns by their places which of the keys nobody
-- had: they are theirs.
CREATE FUNCTION keyline.hold_latest(of_queue text, ids text[], keys text[], windows float8[], keeps text[]) RETURNS boolean[]
LANGUAGE plpgsql
SET enable_seqscan = off SET enable_bitmapscan = off SET plan_cache_mode = force_generic_plan
AS $$
DECLARE
  one record;
  held text[];
  holder text;
  fresh boolean[] := array_fill(false, ARRAY[cardinality(ids)]);
BEGIN
  FOR one IN
    SELECT given.* FROM unnest(ids, keys, windows, keeps) WITH ORDINALITY AS given (id, key, hold, keep, number)
      WHERE given.keep = 'latest' ORDER BY given.key, given.number
  LOOP
    LOOP
      INSERT INTO keyline.deduplication (queue, key, keep, job_id, until)
        VALUES (of_queue, one.key, 'latest', one.id, clock_timestamp() + one.hold * interval '1 millisecond')
        ON CONFLICT (queue, key, keep) DO NOTHING;
      IF FOUND THEN
        fresh[one.number] := true;
        EXIT;
      END IF;
      SELECT known.job_id INTO holder FROM keyline.deduplication AS known
        WHERE known.queue = of_queue AND known.key = one.key AND known.keep = 'latest' FOR UPDATE;
      IF FOUND THEN
        held := held || holder;
        EXIT;
      END IF;
    END LOOP;
  END LOOP;
  IF cardinality(held) > 1 THEN
    PERFORM FROM keyline.job WHERE job.queue = of_queue AND job.id = ANY (held) AND job.state = 'scheduled' AND job.is_latest
      ORDER BY job.id FOR NO KEY UPDATE;
  END IF;
  RETURN fresh;
END
$$;

-- As before, in an order in which two calls do not wait for each other, nor for what cancels, ends or notes jobs: first what locks no row that others can see, by the keys; then what holds a key
-- for a time; and last what replaces, whose rows are locked by then. There is no such order for jobs with keys whose ids are the callers' too: two calls that name the same ones
-- crosswise may be told apart by PostgreSQL alone, which has one of them begin anew.
CREATE OR REPLACE FUNCTION keyline.add_once(
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
  fresh boolean[];
BEGIN
  FOR job IN
    SELECT numbered.* FROM (
      SELECT given.*, nextval(pg_get_serial_sequence('keyline.job', 'seq')) AS seq
      FROM unnest(ids, datas, most_attempts, delays, run_ats, priorities, groups, own_ids, keys, windows, keeps) WITH ORDINALITY
        AS given (id, data, max_attempts, delay, run_at, priority, group_name, is_own, key, hold, keep, number)
      OFFSET 0
    ) AS numbered ORDER BY numbered.keep NULLS FIRST, numbered.key NULLS FIRST, CASE WHEN numbered.is_own AND numbered.key IS NULL THEN numbered.id END NULLS FIRST,
      numbered.number
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
      IF fresh IS NULL THEN fresh := keyline.hold_latest(of_queue, ids, keys, windows, keeps); END IF;
      IF NOT fresh[job.number] THEN
        SELECT known.job_id INTO there FROM keyline.deduplication AS known
          WHERE known.queue = of_queue AND known.key = job.key AND known.keep = 'latest';
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
      END IF;
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

-- As before, in the order of the ids, so that two calls which name the same ones never wait for each other; the order of adding is that in which they were given.
CREATE OR REPLACE FUNCTION keyline.add_jobs(of_queue text, ids text[], datas text[], most_attempts integer[]) RETURNS TABLE (added text, xid text)
LANGUAGE plpgsql
AS $$
BEGIN
  RETURN QUERY INSERT INTO keyline.job (queue, id, seq, data, max_attempts) OVERRIDING SYSTEM VALUE
    SELECT of_queue, numbered.id, numbered.seq, numbered.data::json, numbered.max_attempts FROM (
      SELECT new.*, nextval('keyline.job_seq_seq') AS seq FROM unnest(ids, datas, most_attempts) AS new (id, data, max_attempts) OFFSET 0
    ) AS numbered ORDER BY numbered.id, numbered.seq
    ON CONFLICT (queue, id) DO NOTHING RETURNING job.id, pg_current_xact_id()::text;
END
$$;
