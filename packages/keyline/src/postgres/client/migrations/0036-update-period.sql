-- An attempt that has asked the row for its data ends nothing of a job that was updated since. It may run still while the job waits again, where Valkey came back as it was before the attempt.

ALTER TABLE keyline.job
  -- Which time it is in which the job may be updated, counted from 1: each ends when an attempt asks the row before it begins.
  ADD COLUMN period integer,
  -- In which of them it was updated last; processes of older versions do not say.
  ADD COLUMN changed_in integer;

-- Whether the job is this attempt's to end, as far as its row says. `held` says how many attempts have failed as the attempt knows it, and whose data it has: below zero it is -1 minus that, with the
-- data of its element; else the lower 32 bits are the number, and those above them are 1 plus the period in which the row was asked. Processes of older versions leave them at 0. The function
-- with three parameters stays for calls that are under way.
CREATE FUNCTION keyline.is_held(attempts integer, is_changed boolean, changed_in integer, held bigint) RETURNS boolean
LANGUAGE sql IMMUTABLE
AS $$
  SELECT CASE
    WHEN held < 0 THEN is_changed IS NULL AND attempts <= -1 - held
    ELSE attempts <= (held & 4294967295) AND (held <= 4294967295 OR coalesce(changed_in, 0) <= (held >> 32) - 1)
  END
$$;

-- As before, but for which attempts it is.
CREATE OR REPLACE FUNCTION keyline.settle_jobs(
  of_queue text, held_ids text, held_attempts text,
  OUT settled integer, OUT missing text, OUT xid text
)
LANGUAGE plpgsql
SET enable_seqscan = off SET enable_bitmapscan = off SET plan_cache_mode = force_generic_plan
AS $$
DECLARE
  ids text[] := string_to_array(held_ids, E'\x1f');
  counts bigint[] := string_to_array(held_attempts, E'\x1f')::bigint[];
  uncounted bigint := CASE WHEN held_attempts IS NULL THEN 0 ELSE -1 END;
  gone text[];
  special text[];
BEGIN
  WITH deleted AS (
    DELETE FROM keyline.job
    WHERE job.queue = of_queue AND job.id = ANY (ids) AND job.state IN ('waiting', 'scheduled')
      AND ((job.attempts = 0 AND job.is_changed IS NULL)
        -- OFFSET 0: its place is looked for once.
        OR (SELECT keyline.is_held(job.attempts, job.is_changed, job.changed_in, known.count)
          FROM (SELECT coalesce(counts[array_position(ids, job.id)], uncounted) AS count OFFSET 0) AS known))
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

DROP FUNCTION keyline.settle_job(text, text, integer);
CREATE FUNCTION keyline.settle_job(of_queue text, held_id text, held_attempts bigint) RETURNS text
LANGUAGE plpgsql
SET enable_seqscan = off SET enable_bitmapscan = off SET plan_cache_mode = force_generic_plan
AS $$
DECLARE
  special boolean;
BEGIN
  DELETE FROM keyline.job
  WHERE job.queue = of_queue AND job.id = held_id AND job.state IN ('waiting', 'scheduled')
    AND keyline.is_held(job.attempts, job.is_changed, job.changed_in, held_attempts)
  RETURNING job.is_special INTO special;
  IF NOT FOUND THEN RETURN NULL; END IF;
  IF special THEN PERFORM keyline.end_special(of_queue, ARRAY[held_id], 'completed'); END IF;
  RETURN pg_current_xact_id()::text;
END
$$;

DROP FUNCTION keyline.begin_step(text, text, integer, integer, text, integer);
CREATE FUNCTION keyline.begin_step(
  of_queue text, held_id text, held_attempts bigint, held_parks integer, step_name text, most integer,
  OUT answer text, OUT xid text
)
LANGUAGE plpgsql
SET enable_seqscan = off SET enable_bitmapscan = off SET plan_cache_mode = force_generic_plan
AS $$
BEGIN
  UPDATE keyline.job SET is_special = true
    WHERE job.queue = of_queue AND job.id = held_id AND keyline.is_held(job.attempts, job.is_changed, job.changed_in, held_attempts) AND coalesce(job.parks, 0) <= held_parks
      AND job.state IN ('waiting', 'scheduled') AND job.is_special IS NOT TRUE;
  IF NOT FOUND THEN
    PERFORM FROM keyline.job
      WHERE job.queue = of_queue AND job.id = held_id AND keyline.is_held(job.attempts, job.is_changed, job.changed_in, held_attempts) AND coalesce(job.parks, 0) <= held_parks
        AND job.state IN ('waiting', 'scheduled')
      FOR NO KEY UPDATE;
    IF NOT FOUND THEN
      answer := 'lost';
      RETURN;
    END IF;
    IF EXISTS (SELECT FROM keyline.step WHERE step.queue = of_queue AND step.job_id = held_id AND step.name = step_name) THEN
      answer := 'known';
      RETURN;
    ELSIF (SELECT count(*) FROM keyline.step WHERE step.queue = of_queue AND step.job_id = held_id) >= most THEN
      answer := 'full';
      RETURN;
    END IF;
  END IF;
  answer := 'owed';
  xid := pg_current_xact_id()::text;
END
$$;

DROP FUNCTION keyline.begin_steps(text, text[], integer[], integer[], text[], integer);
CREATE FUNCTION keyline.begin_steps(
  of_queue text, held_ids text[], held_attempts bigint[], held_parks integer[], step_names text[], most integer
) RETURNS TABLE (answer text, xid text)
LANGUAGE plpgsql
AS $$
BEGIN
  FOR place IN 1 .. array_length(held_ids, 1) LOOP
    RETURN QUERY SELECT begun.answer, begun.xid
      FROM keyline.begin_step(of_queue, held_ids[place], held_attempts[place], held_parks[place], step_names[place], most) AS begun;
  END LOOP;
END
$$;

DROP FUNCTION keyline.park(text, text, integer, integer, text, text, float8, integer, text);
CREATE FUNCTION keyline.park(
  of_queue text, held_id text, held_attempts bigint, held_parks integer, why text, step_name text, wait_ms float8, most integer, tag text,
  OUT answer text, OUT value text, OUT rest float8
)
LANGUAGE plpgsql
SET enable_seqscan = off SET enable_bitmapscan = off SET plan_cache_mode = force_generic_plan
AS $$
DECLARE
  job record;
  known record;
  sent record;
  ends_at timestamptz;
BEGIN
  SELECT held.parks, held.retry_tag INTO job FROM keyline.job AS held
    WHERE held.queue = of_queue AND held.id = held_id AND keyline.is_held(held.attempts, held.is_changed, held.changed_in, held_attempts) AND held.state IN ('waiting', 'scheduled')
      AND (coalesce(held.parks, 0) <= held_parks OR (held.parks = held_parks + 1 AND held.retry_tag = tag))
    FOR NO KEY UPDATE;
  IF NOT FOUND THEN
    answer := 'lost';
    RETURN;
  END IF;
  SELECT step.kind, step.outcome, step.until, step.value INTO known FROM keyline.step
    WHERE step.queue = of_queue AND step.job_id = held_id AND step.name = step_name;
  IF FOUND THEN
    IF known.kind <> why THEN
      answer := 'other';
      RETURN;
    END IF;
    ends_at := known.until;
    answer := known.outcome;
    value := known.value::text;
  ELSIF (SELECT count(*) FROM keyline.step WHERE step.queue = of_queue AND step.job_id = held_id) >= most THEN
    answer := 'full';
    RETURN;
  ELSE
    ends_at := clock_timestamp() + wait_ms * interval '1 millisecond';
    INSERT INTO keyline.step (queue, job_id, name, kind, until) VALUES (of_queue, held_id, step_name, why, ends_at);
  END IF;

  IF answer IS NULL AND why = 'signal' THEN
    SELECT job_signal.data INTO sent FROM keyline.job_signal
      WHERE job_signal.queue = of_queue AND job_signal.job_id = held_id AND job_signal.name = step_name;
    IF FOUND THEN
      answer := 'done';
      value := sent.data::text;
    END IF;
  END IF;
  IF answer IS NULL AND ends_at <= clock_timestamp() THEN
    answer := CASE WHEN why = 'signal' THEN 'timeout' ELSE 'done' END;
  END IF;

  IF answer IS NOT NULL THEN
    UPDATE keyline.step SET outcome = answer, value = park.value::json, at = clock_timestamp()
      WHERE step.queue = of_queue AND step.job_id = held_id AND step.name = step_name AND step.outcome IS NULL;
    UPDATE keyline.job AS held SET parked = NULL, parked_for = NULL, is_special = true
      WHERE held.queue = of_queue AND held.id = held_id AND (held.parked IS NOT NULL OR held.is_special IS NOT TRUE);
    RETURN;
  END IF;
  answer := 'parked';
  rest := ceil(extract(epoch FROM ends_at - clock_timestamp()) * 1000);
  IF coalesce(job.parks, 0) <= held_parks THEN
    UPDATE keyline.job AS held SET state = 'scheduled', due_at = ends_at, parked = why, parked_for = step_name,
        parks = held_parks + 1, delivered_to = NULL, retry_tag = tag, is_special = true
      WHERE held.queue = of_queue AND held.id = held_id;
  END IF;
END
$$;
