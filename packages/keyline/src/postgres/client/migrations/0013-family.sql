-- Jobs with children: a parent waits until its children have ended, and is given what became of them.

ALTER TABLE keyline.job
  -- It is the child of another job: what it returns is kept for that one.
  ADD COLUMN is_child boolean;

-- Beside a sleep and a signal, a job may wait for its children.
ALTER TABLE keyline.job DROP CONSTRAINT job_parked_check;
ALTER TABLE keyline.job ADD CONSTRAINT job_parked_check CHECK (parked IN ('sleep', 'signal', 'children'));

-- What a job with children has beside its row.
CREATE TABLE keyline.family (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  queue text COLLATE "C" NOT NULL,
  job_id text COLLATE "C" NOT NULL,
  -- What the death of a child does: it kills the parent, it counts as an end, or it is given to the parent as a value.
  on_child_dead text NOT NULL CHECK (on_child_dead IN ('die', 'ignore', 'value')),
  -- How the parent has ended: a duty clears up behind it, page by page, and cancels what a cancelled one has left. So the end of a parent of many is one small update,
  -- and takes no lock that the end of a child may hold.
  ended text CHECK (ended IN ('completed', 'cancelled', 'removed'))
);

CREATE UNIQUE INDEX family_open ON keyline.family (queue, job_id) WHERE ended IS NULL;
CREATE INDEX family_ended ON keyline.family (id) WHERE ended IS NOT NULL;

CREATE TABLE keyline.family_child (
  family bigint NOT NULL,
  number integer NOT NULL,
  queue text COLLATE "C" NOT NULL,
  id text COLLATE "C" NOT NULL,
  -- NULL while it has not ended.
  outcome text CHECK (outcome IN ('completed', 'dead', 'cancelled')),
  -- What its handler returned.
  value json,
  -- Why it is dead.
  reason text,
  PRIMARY KEY (family, number)
);

CREATE INDEX family_child_job ON keyline.family_child (queue, id);
CREATE INDEX family_child_open ON keyline.family_child (family, number) WHERE outcome IS NULL;
CREATE INDEX family_child_dead ON keyline.family_child (family, number) WHERE outcome = 'dead';

-- Children of a parent that is there, and families below them: rows of jobs, of families and of children. Lists by place; `deaths` is given for those that have children.
-- Returns the place of grouped ones among all jobs.
CREATE FUNCTION keyline.add_children(
  queues text[], ids text[], datas text[], most_attempts integer[], delays float8[], run_ats float8[], priorities text[], groups text[], keeps bigint[],
  parent_queues text[], parent_ids text[], deaths text[]
) RETURNS json
LANGUAGE plpgsql
SET enable_seqscan = off SET plan_cache_mode = force_generic_plan
AS $$
DECLARE
  orders json;
BEGIN
  INSERT INTO keyline.job (queue, id, data, max_attempts, due_at, state, priority, group_name, keep_result, is_special, is_child, parked, parks)
    SELECT new.queue, new.id, new.data::json, new.most, new.due_at,
      CASE WHEN new.death IS NOT NULL OR new.due_at > now() THEN 'scheduled' ELSE 'waiting' END, new.priority, new.group_name, new.keep, true, true,
      CASE WHEN new.death IS NOT NULL THEN 'children' END, CASE WHEN new.death IS NOT NULL THEN 1 END
    FROM (
      SELECT child.*, coalesce(to_timestamp(run_at / 1000), statement_timestamp() + delay * interval '1 millisecond') AS due_at
      FROM unnest(queues, ids, datas, most_attempts, delays, run_ats, priorities, groups, keeps, deaths) WITH ORDINALITY
        AS child (queue, id, data, most, delay, run_at, priority, group_name, keep, death, place)
    ) AS new ORDER BY new.place;
  INSERT INTO keyline.family (queue, job_id, on_child_dead)
    SELECT new.queue, new.id, new.death FROM unnest(queues, ids, deaths) AS new (queue, id, death) WHERE new.death IS NOT NULL;
  INSERT INTO keyline.family_child (family, number, queue, id)
    SELECT parent.id, coalesce(parent.most, 0) + new.number, new.queue, new.id
    FROM (
      SELECT child.*, row_number() OVER (PARTITION BY child.parent_queue, child.parent_id ORDER BY child.place) AS number
      FROM unnest(queues, ids, parent_queues, parent_ids) WITH ORDINALITY AS child (queue, id, parent_queue, parent_id, place)
    ) AS new
    JOIN (
      SELECT family.id, family.queue, family.job_id, (SELECT max(known.number) FROM keyline.family_child AS known WHERE known.family = family.id) AS most
      FROM (SELECT DISTINCT parent_queue, parent_id FROM unnest(parent_queues, parent_ids) AS one (parent_queue, parent_id)) AS wanted
      JOIN keyline.family ON family.queue = wanted.parent_queue AND family.job_id = wanted.parent_id AND family.ended IS NULL
    ) AS parent ON parent.queue = new.parent_queue AND parent.job_id = new.parent_id
    ORDER BY new.place;
  IF array_length(array_remove(groups, NULL), 1) > 0 THEN
    SELECT json_object_agg(new.place, job.seq::text) INTO orders
      FROM unnest(queues, ids, groups) WITH ORDINALITY AS new (queue, id, group_name, place)
      JOIN keyline.job ON job.queue = new.queue AND job.id = new.id WHERE new.group_name IS NOT NULL;
  END IF;
  RETURN orders;
END
$$;

-- The place of the first of the jobs that is there already; null where none is. Nothing is written, so that who is refused has lost nothing.
CREATE FUNCTION keyline.find_taken(queues text[], ids text[], own_ids boolean[]) RETURNS integer
LANGUAGE sql STABLE
SET enable_seqscan = off SET plan_cache_mode = force_generic_plan
AS $$
  SELECT new.place::integer FROM unnest(queues, ids, own_ids) WITH ORDINALITY AS new (queue, id, is_own, place)
    WHERE new.is_own AND EXISTS (SELECT FROM keyline.job WHERE job.queue = new.queue AND job.id = new.id OFFSET 0) ORDER BY new.place LIMIT 1
$$;

-- A parent and everything below it, in one step: 'added'; 'known' when there is a job with the parent's id, and 'taken' when there is one with the id of the child at that place: then nothing is.
CREATE FUNCTION keyline.add_family(
  of_queue text, root_id text, root_data text, root_most integer, root_priority text, root_keep bigint, root_death text,
  queues text[], ids text[], datas text[], most_attempts integer[], delays float8[], run_ats float8[], priorities text[], groups text[], keeps bigint[],
  own_ids boolean[], parent_queues text[], parent_ids text[], deaths text[],
  OUT answer text, OUT taken integer, OUT orders json, OUT added_ms float8, OUT xid text
)
LANGUAGE plpgsql
SET enable_seqscan = off SET plan_cache_mode = force_generic_plan
AS $$
BEGIN
  IF EXISTS (SELECT FROM keyline.job WHERE job.queue = of_queue AND job.id = root_id) THEN
    answer := 'known';
    RETURN;
  END IF;
  taken := keyline.find_taken(queues, ids, own_ids);
  IF taken IS NOT NULL THEN
    answer := 'taken';
    RETURN;
  END IF;
  INSERT INTO keyline.job (queue, id, data, max_attempts, state, priority, keep_result, is_special, parked, parks)
    VALUES (of_queue, root_id, root_data::json, root_most, 'scheduled', root_priority, root_keep, true, 'children', 1)
    ON CONFLICT (queue, id) DO NOTHING;
  IF NOT FOUND THEN
    answer := 'known';
    RETURN;
  END IF;
  INSERT INTO keyline.family (queue, job_id, on_child_dead) VALUES (of_queue, root_id, root_death);
  orders := keyline.add_children(queues, ids, datas, most_attempts, delays, run_ats, priorities, groups, keeps, parent_queues, parent_ids, deaths);
  answer := 'added';
  added_ms := floor(extract(epoch FROM now()) * 1000);
  xid := pg_current_xact_id()::text;
END
$$;

-- The same below a job that runs: 'lost' when it is not this attempt's. Its row is locked until the end of the transaction, so that it does not end meanwhile.
CREATE FUNCTION keyline.add_to_family(
  of_queue text, held_id text, held_attempts integer, held_parks integer, death text,
  queues text[], ids text[], datas text[], most_attempts integer[], delays float8[], run_ats float8[], priorities text[], groups text[], keeps bigint[],
  own_ids boolean[], parent_queues text[], parent_ids text[], deaths text[],
  OUT answer text, OUT taken integer, OUT orders json, OUT added_ms float8, OUT xid text
)
LANGUAGE plpgsql
SET enable_seqscan = off SET plan_cache_mode = force_generic_plan
AS $$
BEGIN
  PERFORM FROM keyline.job
    WHERE job.queue = of_queue AND job.id = held_id AND job.attempts <= held_attempts AND coalesce(job.parks, 0) <= held_parks
      AND job.state IN ('waiting', 'scheduled')
    FOR NO KEY UPDATE;
  IF NOT FOUND THEN
    answer := 'lost';
    RETURN;
  END IF;
  taken := keyline.find_taken(queues, ids, own_ids);
  IF taken IS NOT NULL THEN
    answer := 'taken';
    RETURN;
  END IF;
  UPDATE keyline.job SET is_special = true WHERE job.queue = of_queue AND job.id = held_id AND job.is_special IS NOT TRUE;
  INSERT INTO keyline.family (queue, job_id, on_child_dead) VALUES (of_queue, held_id, coalesce(death, 'die'))
    ON CONFLICT (queue, job_id) WHERE ended IS NULL DO UPDATE SET on_child_dead = coalesce(death, family.on_child_dead);
  orders := keyline.add_children(queues, ids, datas, most_attempts, delays, run_ats, priorities, groups, keeps, parent_queues, parent_ids, deaths);
  answer := 'added';
  added_ms := floor(extract(epoch FROM now()) * 1000);
  xid := pg_current_xact_id()::text;
END
$$;

-- The end of jobs that are children, and of jobs that have some. No row of another job is locked: a parent is released behind the COMMIT, by keyline.release_family.
CREATE FUNCTION keyline.end_family(of_queue text, ended_ids text[], how text) RETURNS void
LANGUAGE plpgsql
SET enable_seqscan = off SET enable_bitmapscan = off SET plan_cache_mode = force_generic_plan
AS $$
BEGIN
  -- settle_children writes outcome and value at once.
  IF how <> 'removed' AND coalesce(current_setting('keyline.ends_children', true), '') <> 'on' THEN
    UPDATE keyline.family_child SET outcome = how
      WHERE family_child.queue = of_queue AND family_child.id = ANY (ended_ids) AND family_child.outcome IS NULL;
  END IF;
  IF how <> 'dead' THEN
    UPDATE keyline.family SET ended = how WHERE family.queue = of_queue AND family.job_id = ANY (ended_ids) AND family.ended IS NULL;
  END IF;
END
$$;

CREATE OR REPLACE FUNCTION keyline.end_special(of_queue text, ended_ids text[], how text) RETURNS boolean
LANGUAGE plpgsql
AS $$
BEGIN
  PERFORM keyline.end_steps(of_queue, ended_ids, how);
  PERFORM keyline.end_family(of_queue, ended_ids, how);
  RETURN true;
END
$$;

-- What children came to, in the transaction that ends them.
CREATE FUNCTION keyline.keep_for_parents(of_queue text, ids text[], result_values json[]) RETURNS void
LANGUAGE sql
SET enable_seqscan = off SET enable_bitmapscan = off SET plan_cache_mode = force_generic_plan
AS $$
  UPDATE keyline.family_child SET value = kept.value FROM unnest(ids, result_values) AS kept (id, value)
    WHERE family_child.queue = of_queue AND family_child.id = kept.id AND family_child.outcome = 'completed';
$$;

-- As settle_kept, where some of the jobs are children: `child_values` are what those came to. Each row of a child is written once, with its outcome, as most of the time of a large
-- family goes into that.
CREATE FUNCTION keyline.settle_children(
  of_queue text, held_ids text, held_attempts text, kept_ids text[], result_values json[], keeps bigint[], child_ids text[], child_values json[],
  OUT settled integer, OUT missing text, OUT xid text
)
LANGUAGE plpgsql
SET enable_seqscan = off SET enable_bitmapscan = off SET plan_cache_mode = force_generic_plan
AS $$
DECLARE
  gone text[];
BEGIN
  PERFORM set_config('keyline.ends_children', 'on', true);
  SELECT done.settled, done.missing INTO settled, missing
    FROM keyline.settle_kept(of_queue, held_ids, held_attempts, kept_ids, result_values, keeps) AS done;
  PERFORM set_config('keyline.ends_children', 'off', true);
  gone := string_to_array(missing, E'\x1f');
  UPDATE keyline.family_child AS child SET outcome = 'completed', value = kept.value FROM unnest(child_ids, child_values) AS kept (id, value)
    WHERE child.queue = of_queue AND child.id = kept.id AND child.outcome IS NULL AND (gone IS NULL OR kept.id <> ALL (gone));
  xid := pg_current_xact_id_if_assigned()::text;
END
$$;

-- Whether a parent has what it waits for: asked behind the COMMIT that ended one of its children, so that of several which end at the same instant the last to ask sees all. Where it
-- has, and it is parked, it is woken or buried: 'woken' or 'dead'; else null.
CREATE FUNCTION keyline.release_family(of_family bigint, OUT of_queue text, OUT of_id text, OUT answer text)
LANGUAGE plpgsql
SET enable_seqscan = off SET enable_bitmapscan = off SET plan_cache_mode = force_generic_plan
AS $$
DECLARE
  parent record;
  dead_number integer;
  dead_name text;
  special boolean;
BEGIN
  SELECT family.queue, family.job_id, family.on_child_dead INTO parent FROM keyline.family WHERE family.id = of_family AND family.ended IS NULL;
  IF NOT FOUND THEN RETURN; END IF;
  of_queue := parent.queue;
  of_id := parent.job_id;
  IF parent.on_child_dead = 'die' THEN
    SELECT child.number, format('%s of queue %s', child.id, child.queue) INTO dead_number, dead_name FROM keyline.family_child AS child
      WHERE child.family = of_family AND child.outcome = 'dead' ORDER BY child.number LIMIT 1;
  END IF;
  IF dead_number IS NULL AND keyline.has_open_child(of_family) THEN RETURN; END IF;

  SELECT job.is_special INTO special FROM keyline.job
    WHERE job.queue = of_queue AND job.id = of_id AND job.state = 'scheduled' AND job.parked = 'children' FOR NO KEY UPDATE;
  IF NOT FOUND THEN RETURN; END IF;
  -- Whoever held the lock may have added some.
  IF dead_number IS NULL AND keyline.has_open_child(of_family) THEN RETURN; END IF;
  UPDATE keyline.family_child AS child SET reason = letter.last_error
    FROM keyline.job AS letter
    WHERE child.family = of_family AND child.outcome = 'dead' AND child.reason IS NULL
      AND letter.queue = child.queue AND letter.id = child.id AND letter.state = 'dead';
  IF dead_number IS NOT NULL THEN
    UPDATE keyline.job SET state = 'dead', parked = NULL, parked_for = NULL, due_at = NULL, died_at = now(), parks = coalesce(parks, 0) + 1,
        last_error = left(format('Its child %s is dead: %s', dead_name,
          (SELECT child.reason FROM keyline.family_child AS child WHERE child.family = of_family AND child.number = dead_number)), 10000)
      WHERE job.queue = of_queue AND job.id = of_id;
    PERFORM keyline.end_special(of_queue, ARRAY[of_id], 'dead');
    answer := 'dead';
    RETURN;
  END IF;
  UPDATE keyline.job SET due_at = now(), parked = NULL, parked_for = NULL, parks = coalesce(parks, 0) + 1, delivered_to = NULL
    WHERE job.queue = of_queue AND job.id = of_id;
  answer := 'woken';
END
$$;

-- From its last child on, as the first ones end first: what has ended leaves entries in the index for a while.
CREATE FUNCTION keyline.has_open_child(of_family bigint) RETURNS boolean
LANGUAGE plpgsql
SET enable_seqscan = off SET enable_bitmapscan = off SET plan_cache_mode = force_generic_plan
AS $$
BEGIN
  PERFORM FROM keyline.family_child AS child WHERE child.family = of_family AND child.outcome IS NULL ORDER BY child.number DESC LIMIT 1;
  RETURN FOUND;
END
$$;

-- The parents of jobs that have ended, whatever came of them.
CREATE FUNCTION keyline.release_parents(of_child_queue text, ended_ids text[]) RETURNS TABLE (queue text, id text, answer text)
LANGUAGE plpgsql
SET enable_seqscan = off SET enable_bitmapscan = off SET plan_cache_mode = force_generic_plan
AS $$
#variable_conflict use_column
DECLARE
  one bigint;
BEGIN
  -- In one order, so that two calls never wait for each other.
  FOR one IN
    SELECT DISTINCT child.family FROM keyline.family_child AS child WHERE child.queue = of_child_queue AND child.id = ANY (ended_ids) ORDER BY child.family
  LOOP
    RETURN QUERY SELECT released.of_queue, released.of_id, released.answer FROM keyline.release_family(one) AS released WHERE released.answer IS NOT NULL;
  END LOOP;
END
$$;

-- A page of the families behind `after`, for the duty that finds parents whose release nobody came to ask for. A child whose row is gone, or was cancelled by hand, has ended without a word.
CREATE FUNCTION keyline.sweep_families(after bigint, page integer) RETURNS TABLE (family bigint, queue text, id text, answer text)
LANGUAGE plpgsql
SET enable_seqscan = off SET enable_bitmapscan = off SET plan_cache_mode = force_generic_plan
AS $$
#variable_conflict use_column
DECLARE
  one record;
  child record;
BEGIN
  FOR one IN
    SELECT known.id, known.queue, known.job_id FROM keyline.family AS known WHERE known.id > sweep_families.after ORDER BY known.id LIMIT sweep_families.page
  LOOP
    family := one.id;
    queue := NULL;
    id := NULL;
    answer := NULL;
    IF EXISTS (SELECT FROM keyline.job WHERE job.queue = one.queue AND job.id = one.job_id AND job.state = 'scheduled' AND job.parked = 'children') THEN
      -- Found from the end on, some at a time: a family of many is not looked through.
      FOR child IN
        SELECT open.number, open.queue, open.id FROM keyline.family_child AS open WHERE open.family = one.id AND open.outcome IS NULL ORDER BY open.number DESC LIMIT 100
      LOOP
        EXIT WHEN EXISTS (SELECT FROM keyline.job WHERE job.queue = child.queue AND job.id = child.id AND job.state IN ('waiting', 'scheduled'));
        UPDATE keyline.family_child AS lost SET outcome = 'cancelled' WHERE lost.family = one.id AND lost.number = child.number AND lost.outcome IS NULL;
      END LOOP;
      SELECT released.of_queue, released.of_id, released.answer INTO queue, id, answer FROM keyline.release_family(one.id) AS released;
    END IF;
    RETURN NEXT;
  END LOOP;
END
$$;

-- Waits for all children, as keyline.park does for a signal: 'done', 'dead' when one of them is dead and that kills their parent, 'parked' or 'lost'.
CREATE FUNCTION keyline.await_children(of_queue text, held_id text, held_attempts integer, held_parks integer, tag text, OUT answer text)
LANGUAGE plpgsql
SET enable_seqscan = off SET enable_bitmapscan = off SET plan_cache_mode = force_generic_plan
AS $$
DECLARE
  job record;
  parent record;
BEGIN
  SELECT held.parks INTO job FROM keyline.job AS held
    WHERE held.queue = of_queue AND held.id = held_id AND held.attempts <= held_attempts AND held.state IN ('waiting', 'scheduled')
      AND (coalesce(held.parks, 0) <= held_parks OR (held.parks = held_parks + 1 AND held.retry_tag = tag))
    FOR NO KEY UPDATE;
  IF NOT FOUND THEN
    answer := 'lost';
    RETURN;
  END IF;
  SELECT family.id, family.on_child_dead INTO parent FROM keyline.family
    WHERE family.queue = of_queue AND family.job_id = held_id AND family.ended IS NULL;
  IF NOT FOUND OR NOT keyline.has_open_child(parent.id) THEN
    UPDATE keyline.job AS held SET parked = NULL, parked_for = NULL
      WHERE held.queue = of_queue AND held.id = held_id AND held.parked IS NOT NULL;
    answer := CASE WHEN parent.on_child_dead = 'die' AND EXISTS (
        SELECT FROM keyline.family_child AS child WHERE child.family = parent.id AND child.outcome = 'dead'
      ) THEN 'dead' ELSE 'done' END;
    RETURN;
  END IF;
  answer := 'parked';
  IF coalesce(job.parks, 0) <= held_parks THEN
    UPDATE keyline.job AS held SET state = 'scheduled', due_at = NULL, parked = 'children', parked_for = NULL,
        parks = held_parks + 1, delivered_to = NULL, retry_tag = tag, is_special = true
      WHERE held.queue = of_queue AND held.id = held_id;
  END IF;
END
$$;
