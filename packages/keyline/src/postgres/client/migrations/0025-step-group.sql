-- Steps of several jobs in one transaction: all are begun with one statement, and what they came to is written with one.

-- As before, with one write in place of a lock and a write where it is the job's first.
CREATE OR REPLACE FUNCTION keyline.begin_step(
  of_queue text, held_id text, held_attempts integer, held_parks integer, step_name text, most integer,
  OUT answer text, OUT xid text
)
LANGUAGE plpgsql
SET enable_seqscan = off SET enable_bitmapscan = off SET plan_cache_mode = force_generic_plan
AS $$
BEGIN
  UPDATE keyline.job SET is_special = true
    WHERE job.queue = of_queue AND job.id = held_id AND job.attempts <= held_attempts AND coalesce(job.parks, 0) <= held_parks
      AND job.state IN ('waiting', 'scheduled') AND job.is_special IS NOT TRUE;
  IF NOT FOUND THEN
    PERFORM FROM keyline.job
      WHERE job.queue = of_queue AND job.id = held_id AND job.attempts <= held_attempts AND coalesce(job.parks, 0) <= held_parks
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

-- The same for several jobs, in this order.
CREATE FUNCTION keyline.begin_steps(
  of_queue text, held_ids text[], held_attempts integer[], held_parks integer[], step_names text[], most integer
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

-- Remembers what steps came to, within the transaction that began them. Nothing is remembered where what was written in between has ended that one: their jobs are not kept to it any more.
CREATE FUNCTION keyline.keep_steps(of_queue text, begun_in text, of_ids text[], step_names text[], step_values text[]) RETURNS void
LANGUAGE plpgsql
AS $$
BEGIN
  IF pg_current_xact_id()::text <> begun_in THEN
    RAISE EXCEPTION 'the transaction in which a step began was ended by what was written in it' USING ERRCODE = '25000';
  END IF;
  INSERT INTO keyline.step (queue, job_id, name, kind, value, outcome)
    SELECT of_queue, kept.id, kept.name, 'step', kept.value::json, 'done' FROM unnest(of_ids, step_names, step_values) AS kept (id, name, value);
END
$$;
