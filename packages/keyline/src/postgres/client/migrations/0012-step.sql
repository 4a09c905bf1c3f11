-- What a job that goes on in pieces remembers: steps with their values, sleeps, and signals that it was sent or waits for.

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
  of_queue text, held_id text, held_attempts integer, step_name text, most integer,
  OUT answer text, OUT xid text
)
LANGUAGE plpgsql
SET enable_seqscan = off SET enable_bitmapscan = off SET plan_cache_mode = force_generic_plan
AS $$
DECLARE
  special boolean;
BEGIN
  SELECT coalesce(job.is_special, false) INTO special FROM keyline.job
    WHERE job.queue = of_queue AND job.id = held_id AND job.attempts <= held_attempts AND job.state IN ('waiting', 'scheduled')
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
