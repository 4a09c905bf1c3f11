-- Cancelling jobs that have not ended.

-- Cancels those of the jobs that have not ended, and remembers that for as many milliseconds. From its COMMIT on no settle of them commits. Their rows stay,
-- as 'cancelled', until Valkey was looked through (keyline.forget_cancelled): until then none is added with the id of one of them, which could not be told
-- from it there. Returns what each was: 'waiting' or 'scheduled'; 'cancelled' where a call for it has not come to its end; 'dead', and then it stays.
CREATE FUNCTION keyline.cancel_jobs(of_queue text, ids text[], remembered float8) RETURNS TABLE (cancelled_id text, was text)
LANGUAGE plpgsql
SET enable_seqscan = off SET enable_bitmapscan = off SET plan_cache_mode = force_generic_plan
AS $$
DECLARE
  found record;
  gone text[];
  special text[];
BEGIN
  -- By the order of their ids, so that two calls never wait for each other.
  FOR found IN
    SELECT job.id, job.state, job.due_at, job.is_special FROM keyline.job
    WHERE job.queue = of_queue AND job.id = ANY (ids) ORDER BY job.id FOR UPDATE
  LOOP
    cancelled_id := found.id;
    IF found.state IN ('waiting', 'scheduled') THEN
      gone := gone || found.id;
      IF found.is_special THEN special := special || found.id; END IF;
      was := CASE WHEN found.state = 'scheduled' AND found.due_at > now() THEN 'scheduled' ELSE 'waiting' END;
      RETURN NEXT;
    ELSIF found.state = 'dead' THEN
      was := 'dead';
      RETURN NEXT;
    ELSIF EXISTS (SELECT FROM keyline.outcome WHERE outcome.queue = of_queue AND outcome.id = found.id AND outcome.outcome = 'cancelled') THEN
      was := 'cancelled';
      RETURN NEXT;
    END IF;
  END LOOP;
  IF gone IS NULL THEN RETURN; END IF;
  UPDATE keyline.job SET state = 'cancelled' WHERE job.queue = of_queue AND job.id = ANY (gone);
  INSERT INTO keyline.outcome (queue, id, outcome, until)
    SELECT of_queue, cancelled, 'cancelled', now() + remembered * interval '1 millisecond' FROM unnest(gone) AS cancelled ORDER BY cancelled
    ON CONFLICT (queue, id) DO UPDATE SET outcome = excluded.outcome, value = NULL, ended_at = now(), until = excluded.until;
  IF special IS NOT NULL THEN PERFORM keyline.end_special(of_queue, special, 'cancelled'); END IF;
END
$$;

-- Removes the rows of jobs that were cancelled: nothing of them is on Valkey any more. Rows that somebody has cancelled by hand stay.
CREATE FUNCTION keyline.forget_cancelled(of_queue text, ids text[]) RETURNS void
LANGUAGE sql
SET enable_seqscan = off SET enable_bitmapscan = off SET plan_cache_mode = force_generic_plan
AS $$
  DELETE FROM keyline.job WHERE job.queue = of_queue AND job.id = ANY (ids) AND job.state = 'cancelled'
    AND EXISTS (SELECT FROM keyline.outcome WHERE outcome.queue = of_queue AND outcome.id = job.id AND outcome.outcome = 'cancelled');
$$;

-- Rows of calls that did not come to their end.
CREATE INDEX job_cancelled ON keyline.job (queue, id) WHERE state = 'cancelled';
