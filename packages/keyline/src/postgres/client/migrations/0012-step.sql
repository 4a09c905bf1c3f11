-- What a job that goes on in pieces remembers: steps with their values, sleeps, and signals that it was sent or waits for.

ALTER TABLE keyline.job
  -- Its handler has ended its attempt to wait: for the end of a sleep, or for a signal. It is 'scheduled' meanwhile.
  ADD COLUMN parked text CHECK (parked IN ('sleep', 'signal')),
  -- The name of the sleep or of the signal.
  ADD COLUMN parked_for text COLLATE "C",
  -- How often it was parked or woken: an element on Valkey that was made before the last time is out of date, whatever its count of attempts.
  ADD COLUMN parks integer;

CREATE INDEX job_parked ON keyline.job (queue, seq) WHERE parked IS NOT NULL;

CREATE TABLE keyline.step (
  queue text COLLATE "C" NOT NULL,
  job_id text COLLATE "C" NOT NULL,
  name text COLLATE "C" NOT NULL,
  kind text NOT NULL CHECK (kind IN ('step', 'sleep', 'signal')),
  -- What the step returned, or the data of the signal.
  value json,
  -- NULL while it sleeps or waits.
  outcome text CHECK (outcome IN ('done', 'timeout')),
  -- Until when it sleeps or waits; NULL: it waits for ever.
  until timestamptz,
  -- When it began, or, once it has an outcome, when it got that.
  at timestamptz NOT NULL DEFAULT clock_timestamp(),
  PRIMARY KEY (queue, job_id, name)
);

-- Signals that jobs were sent: of those with one name the first counts.
CREATE TABLE keyline.job_signal (
  queue text COLLATE "C" NOT NULL,
  job_id text COLLATE "C" NOT NULL,
  name text COLLATE "C" NOT NULL,
  data json,
  at timestamptz NOT NULL DEFAULT clock_timestamp(),
  PRIMARY KEY (queue, job_id, name)
);

-- What belongs to a job goes with it; a dead letter keeps it, as it may be put back.
CREATE FUNCTION keyline.end_steps(of_queue text, ended_ids text[], how text) RETURNS void
LANGUAGE plpgsql
SET enable_seqscan = off SET enable_bitmapscan = off SET plan_cache_mode = force_generic_plan
AS $$
BEGIN
  IF how = 'dead' THEN RETURN; END IF;
  DELETE FROM keyline.step WHERE step.queue = of_queue AND step.job_id = ANY (ended_ids);
  DELETE FROM keyline.job_signal WHERE job_signal.queue = of_queue AND job_signal.job_id = ANY (ended_ids);
END
$$;

CREATE OR REPLACE FUNCTION keyline.end_special(of_queue text, ended_ids text[], how text) RETURNS boolean
LANGUAGE plpgsql
AS $$
BEGIN
  PERFORM keyline.end_steps(of_queue, ended_ids, how);
  RETURN true;
END
$$;

-- Begins a step within the caller's transaction, and keeps the job to it until its end: 'owed' when it is to be done, 'known' when it was, 'full' when the job has
-- as many as it may, 'lost' when the job is not this attempt's: it has ended, or somebody has a later attempt.
CREATE FUNCTION keyline.begin_step(
  of_queue text, held_id text, held_attempts integer, held_parks integer, step_name text, most integer,
  OUT answer text, OUT xid text
)
LANGUAGE plpgsql
SET enable_seqscan = off SET enable_bitmapscan = off SET plan_cache_mode = force_generic_plan
AS $$
DECLARE
  special boolean;
BEGIN
  SELECT coalesce(job.is_special, false) INTO special FROM keyline.job
    WHERE job.queue = of_queue AND job.id = held_id AND job.attempts <= held_attempts AND coalesce(job.parks, 0) <= held_parks
      AND job.state IN ('waiting', 'scheduled')
    FOR NO KEY UPDATE;
  IF NOT FOUND THEN
    answer := 'lost';
    RETURN;
  END IF;
  IF NOT special THEN
    UPDATE keyline.job SET is_special = true WHERE job.queue = of_queue AND job.id = held_id;
  ELSIF EXISTS (SELECT FROM keyline.step WHERE step.queue = of_queue AND step.job_id = held_id AND step.name = step_name) THEN
    answer := 'known';
    RETURN;
  ELSIF (SELECT count(*) FROM keyline.step WHERE step.queue = of_queue AND step.job_id = held_id) >= most THEN
    answer := 'full';
    RETURN;
  END IF;
  answer := 'owed';
  xid := pg_current_xact_id()::text;
END
$$;

-- What a job remembers. A function, for its settings: statistics of a table that was empty a minute ago would have it read as a whole.
CREATE FUNCTION keyline.recall_steps(of_queue text, of_id text) RETURNS TABLE (name text, kind text, outcome text, value text)
LANGUAGE plpgsql STABLE
SET enable_seqscan = off SET enable_bitmapscan = off SET plan_cache_mode = force_generic_plan
AS $$
BEGIN
  RETURN QUERY SELECT step.name, step.kind, step.outcome, step.value::text FROM keyline.step
    WHERE step.queue = of_queue AND step.job_id = of_id AND step.outcome IS NOT NULL;
END
$$;

-- Goes on behind a sleep, or behind a signal, or parks the job until then, in one step under the lock of its row, so that no signal comes in between.
-- 'done' and 'timeout' when it is over, with the data of the signal; 'parked' for `rest` milliseconds, or for as long as it takes where that is null; 'other' when something else is
-- remembered under this name; 'full' and 'lost' as in begin_step. The tag knows its own change again when the answer to it got lost.
CREATE FUNCTION keyline.park(
  of_queue text, held_id text, held_attempts integer, held_parks integer, why text, step_name text, wait_ms float8, most integer, tag text,
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
    WHERE held.queue = of_queue AND held.id = held_id AND held.attempts <= held_attempts AND held.state IN ('waiting', 'scheduled')
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

-- Sends a job a signal: 'sent', also when it had one of this name, 'full' when it has as many as it may, null when there is no such job. Where it waits for this one, it is due now.
CREATE FUNCTION keyline.signal_job(of_queue text, of_id text, signal_name text, signal_data json, most integer, OUT answer text, OUT wakes boolean)
LANGUAGE plpgsql
SET enable_seqscan = off SET enable_bitmapscan = off SET plan_cache_mode = force_generic_plan
AS $$
DECLARE
  known record;
BEGIN
  SELECT job.parked, job.parked_for, job.is_special INTO known FROM keyline.job
    WHERE job.queue = of_queue AND job.id = of_id AND job.state <> 'cancelled' FOR NO KEY UPDATE;
  IF NOT FOUND THEN RETURN; END IF;
  answer := 'sent';
  wakes := known.parked = 'signal' AND known.parked_for = signal_name;
  IF NOT EXISTS (
    SELECT FROM keyline.job_signal WHERE job_signal.queue = of_queue AND job_signal.job_id = of_id AND job_signal.name = signal_name
  ) THEN
    IF (SELECT count(*) FROM keyline.job_signal WHERE job_signal.queue = of_queue AND job_signal.job_id = of_id) >= most THEN
      answer := 'full';
      wakes := false;
      RETURN;
    END IF;
    INSERT INTO keyline.job_signal (queue, job_id, name, data) VALUES (of_queue, of_id, signal_name, signal_data);
  END IF;
  IF wakes THEN
    UPDATE keyline.job SET due_at = now(), parked = NULL, parked_for = NULL, parks = coalesce(parks, 0) + 1, delivered_to = NULL
      WHERE job.queue = of_queue AND job.id = of_id;
  ELSIF known.is_special IS NOT TRUE THEN
    UPDATE keyline.job SET is_special = true WHERE job.queue = of_queue AND job.id = of_id;
  END IF;
END
$$;

-- As mark_delivered, for who notes a delivery later: nothing of a job that was parked meanwhile, whose delivery then was another one. The CASE keeps the planner from reading
-- all that nobody has delivered (job_undelivered) in place of the rows with these ids.
CREATE FUNCTION keyline.note_delivered(of_queue text, to_epoch text, delivered_ids text) RETURNS boolean
LANGUAGE plpgsql
SET enable_seqscan = off SET enable_bitmapscan = off SET plan_cache_mode = force_generic_plan
AS $$
BEGIN
  PERFORM FROM keyline.queue WHERE name = of_queue AND epoch = to_epoch FOR SHARE;
  IF NOT FOUND THEN RETURN false; END IF;
  UPDATE keyline.job SET delivered_to = to_epoch
    WHERE job.queue = of_queue AND job.id = ANY (string_to_array(delivered_ids, E'\x1f')) AND job.state IN ('waiting', 'scheduled')
      AND CASE WHEN job.parks IS NULL THEN job.delivered_to IS NULL END;
  RETURN true;
END
$$;

-- The same for one job that has been parked, in the state in which it was delivered. False when it is not in that state any more.
CREATE FUNCTION keyline.note_parked(of_queue text, of_id text, of_parks integer, to_epoch text) RETURNS boolean
LANGUAGE plpgsql
SET enable_seqscan = off SET enable_bitmapscan = off SET plan_cache_mode = force_generic_plan
AS $$
BEGIN
  PERFORM FROM keyline.queue WHERE name = of_queue AND epoch = to_epoch FOR SHARE;
  IF FOUND THEN
    UPDATE keyline.job SET delivered_to = to_epoch
      WHERE job.queue = of_queue AND job.id = of_id AND job.state IN ('waiting', 'scheduled')
        AND CASE WHEN job.parks = of_parks THEN job.delivered_to IS NULL END;
  END IF;
  RETURN EXISTS (SELECT FROM keyline.job WHERE job.queue = of_queue AND job.id = of_id AND job.parks = of_parks);
END
$$;
