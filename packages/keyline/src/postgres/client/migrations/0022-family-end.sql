-- The end of a child changes its row in place: no index says what became of it, so none gets a second entry for it, and there is room beside it. In a large family that was most of the time.

ALTER TABLE keyline.family_child SET (fillfactor = 50);
DROP INDEX keyline.family_child_open;
DROP INDEX keyline.family_child_dead;

ALTER TABLE keyline.family
  -- Of its first `looked_at` children all behind the one with the number `open_to` have ended: so that whoever looks for an open one from the last child on does not pass them again.
  ADD COLUMN looked_at integer NOT NULL DEFAULT 0,
  ADD COLUMN open_to integer NOT NULL DEFAULT 0;

-- Children that have died, which are few.
CREATE TABLE keyline.family_death (
  family bigint NOT NULL,
  number integer NOT NULL,
  PRIMARY KEY (family, number)
);

INSERT INTO keyline.family_death SELECT family, number FROM keyline.family_child WHERE outcome = 'dead';

-- As before. Each parent is looked up once, whose memory is enough for a large family.
CREATE OR REPLACE FUNCTION keyline.add_children(
  queues text[], ids text[], datas text[], most_attempts integer[], delays float8[], run_ats float8[], priorities text[], groups text[], keeps bigint[],
  parent_queues text[], parent_ids text[], deaths text[]
) RETURNS json
LANGUAGE plpgsql
SET enable_seqscan = off SET plan_cache_mode = force_generic_plan SET work_mem = '64MB'
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
  IF array_length(array_remove(deaths, NULL), 1) > 0 THEN
    INSERT INTO keyline.family (queue, job_id, on_child_dead)
      SELECT new.queue, new.id, new.death FROM unnest(queues, ids, deaths) AS new (queue, id, death) WHERE new.death IS NOT NULL;
  END IF;
  WITH parent AS MATERIALIZED (
    SELECT family.id, family.queue, family.job_id, coalesce((SELECT max(known.number) FROM keyline.family_child AS known WHERE known.family = family.id), 0) AS most
    FROM (SELECT DISTINCT parent_queue, parent_id FROM unnest(parent_queues, parent_ids) AS one (parent_queue, parent_id)) AS wanted
    JOIN keyline.family ON family.queue = wanted.parent_queue AND family.job_id = wanted.parent_id AND family.ended IS NULL
  )
  INSERT INTO keyline.family_child (family, number, queue, id)
    SELECT parent.id, parent.most + new.number, new.queue, new.id
    FROM (
      SELECT child.*, row_number() OVER (PARTITION BY child.parent_queue, child.parent_id ORDER BY child.place) AS number
      FROM unnest(queues, ids, parent_queues, parent_ids) WITH ORDINALITY AS child (queue, id, parent_queue, parent_id, place)
    ) AS new
    JOIN parent ON parent.queue = new.parent_queue AND parent.job_id = new.parent_id
    ORDER BY new.place;
  IF array_length(array_remove(groups, NULL), 1) > 0 THEN
    SELECT json_object_agg(new.place, job.seq::text) INTO orders
      FROM unnest(queues, ids, groups) WITH ORDINALITY AS new (queue, id, group_name, place)
      JOIN keyline.job ON job.queue = new.queue AND job.id = new.id WHERE new.group_name IS NOT NULL;
  END IF;
  RETURN orders;
END
$$;

-- As before, and deaths are noted.
CREATE OR REPLACE FUNCTION keyline.end_family(of_queue text, ended_ids text[], how text) RETURNS void
LANGUAGE plpgsql
SET enable_seqscan = off SET enable_bitmapscan = off SET plan_cache_mode = force_generic_plan
AS $$
BEGIN
  IF how = 'dead' THEN
    WITH died AS (
      UPDATE keyline.family_child SET outcome = 'dead'
        WHERE family_child.queue = of_queue AND family_child.id = ANY (ended_ids) AND family_child.outcome IS NULL
        RETURNING family_child.family, family_child.number
    )
    INSERT INTO keyline.family_death SELECT died.family, died.number FROM died;
    RETURN;
  END IF;
  -- settle_children writes outcome and value at once.
  IF how <> 'removed' AND coalesce(current_setting('keyline.ends_children', true), '') <> 'on' THEN
    UPDATE keyline.family_child SET outcome = how
      WHERE family_child.queue = of_queue AND family_child.id = ANY (ended_ids) AND family_child.outcome IS NULL;
  END IF;
  UPDATE keyline.family SET ended = how WHERE family.queue = of_queue AND family.job_id = ANY (ended_ids) AND family.ended IS NULL;
END
$$;

-- The number of the last child that has not ended; null where all have.
CREATE FUNCTION keyline.last_open_child(of_family bigint) RETURNS integer
LANGUAGE plpgsql
SET enable_seqscan = off SET enable_bitmapscan = off SET plan_cache_mode = force_generic_plan
AS $$
DECLARE
  known record;
  last integer;
BEGIN
  SELECT family.looked_at, family.open_to INTO known FROM keyline.family WHERE family.id = of_family;
  SELECT child.number INTO last FROM keyline.family_child AS child
    WHERE child.family = of_family AND child.number > known.looked_at AND child.outcome IS NULL ORDER BY child.number DESC LIMIT 1;
  IF last IS NULL THEN
    SELECT child.number INTO last FROM keyline.family_child AS child
      WHERE child.family = of_family AND child.number <= known.open_to AND child.outcome IS NULL ORDER BY child.number DESC LIMIT 1;
  END IF;
  RETURN last;
END
$$;

CREATE OR REPLACE FUNCTION keyline.has_open_child(of_family bigint) RETURNS boolean
LANGUAGE plpgsql
AS $$
BEGIN
  RETURN keyline.last_open_child(of_family) IS NOT NULL;
END
$$;

-- As before, with what is noted of deaths.
CREATE OR REPLACE FUNCTION keyline.release_family(of_family bigint, OUT of_queue text, OUT of_id text, OUT answer text)
LANGUAGE plpgsql
SET enable_seqscan = off SET enable_bitmapscan = off SET plan_cache_mode = force_generic_plan
AS $$
DECLARE
  parent record;
  dead_number integer;
  dead_name text;
  special boolean;
  why text;
BEGIN
  SELECT family.queue, family.job_id, family.on_child_dead INTO parent FROM keyline.family WHERE family.id = of_family AND family.ended IS NULL;
  IF NOT FOUND THEN RETURN; END IF;
  of_queue := parent.queue;
  of_id := parent.job_id;
  IF parent.on_child_dead = 'die' THEN
    SELECT child.number, format('%s of queue %s', child.id, child.queue) INTO dead_number, dead_name
      FROM keyline.family_death AS death JOIN keyline.family_child AS child ON child.family = death.family AND child.number = death.number
      WHERE death.family = of_family ORDER BY death.number LIMIT 1;
  END IF;
  IF dead_number IS NULL AND keyline.has_open_child(of_family) THEN RETURN; END IF;

  SELECT job.is_special INTO special FROM keyline.job
    WHERE job.queue = of_queue AND job.id = of_id AND job.state = 'scheduled' AND job.parked = 'children' FOR NO KEY UPDATE;
  IF NOT FOUND THEN RETURN; END IF;
  -- Whoever held the lock may have added some.
  IF dead_number IS NULL AND keyline.has_open_child(of_family) THEN RETURN; END IF;
  UPDATE keyline.family_child AS child SET reason = letter.last_error
    FROM keyline.family_death AS death, keyline.job AS letter
    WHERE death.family = of_family AND child.family = of_family AND child.number = death.number AND child.reason IS NULL
      AND letter.queue = child.queue AND letter.id = child.id AND letter.state = 'dead';
  IF dead_number IS NOT NULL THEN
    why := left(format('Its child %s is dead: %s', dead_name,
      (SELECT child.reason FROM keyline.family_child AS child WHERE child.family = of_family AND child.number = dead_number)), 10000);
    UPDATE keyline.job SET state = 'dead', parked = NULL, parked_for = NULL, due_at = NULL, died_at = now(), parks = coalesce(parks, 0) + 1, last_error = why,
        history = keyline.with_failure(history, NULL, 0,
          json_build_object('at', floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint, 'error', left(why, 500)))
      WHERE job.queue = of_queue AND job.id = of_id;
    PERFORM keyline.end_special(of_queue, ARRAY[of_id], 'dead');
    UPDATE keyline.family SET is_untold = true WHERE family.id = of_family;
    answer := 'dead';
    RETURN;
  END IF;
  UPDATE keyline.job SET due_at = now(), parked = NULL, parked_for = NULL, parks = coalesce(parks, 0) + 1, delivered_to = NULL
    WHERE job.queue = of_queue AND job.id = of_id;
  answer := 'woken';
END
$$;

-- As before, and how far the children of a family have ended is noted, where it is far: under no lock but the last ones of this transaction, for which nobody waits.
CREATE OR REPLACE FUNCTION keyline.sweep_families(after bigint, page integer) RETURNS TABLE (family bigint, queue text, id text, answer text)
LANGUAGE plpgsql
SET enable_seqscan = off SET enable_bitmapscan = off SET plan_cache_mode = force_generic_plan
AS $$
#variable_conflict use_column
DECLARE
  one record;
  child record;
  last integer;
  most integer;
  far bigint[];
  lasts integer[];
  mosts integer[];
BEGIN
  FOR one IN
    SELECT known.id, known.queue, known.job_id, known.looked_at, known.open_to FROM keyline.family AS known
      WHERE known.id > sweep_families.after ORDER BY known.id LIMIT sweep_families.page
  LOOP
    family := one.id;
    queue := NULL;
    id := NULL;
    answer := NULL;
    IF EXISTS (SELECT FROM keyline.job WHERE job.queue = one.queue AND job.id = one.job_id AND job.state = 'scheduled' AND job.parked = 'children') THEN
      -- Of one look, so that none was added between the two.
      SELECT keyline.last_open_child(one.id), (SELECT max(known.number) FROM keyline.family_child AS known WHERE known.family = one.id) INTO last, most;
      -- Found from the end on, some at a time: a family of many is not looked through.
      FOR child IN
        SELECT open.number, open.queue, open.id FROM keyline.family_child AS open
          WHERE open.family = one.id AND open.number <= last AND open.outcome IS NULL ORDER BY open.number DESC LIMIT 100
      LOOP
        EXIT WHEN EXISTS (SELECT FROM keyline.job WHERE job.queue = child.queue AND job.id = child.id AND job.state IN ('waiting', 'scheduled'));
        UPDATE keyline.family_child AS lost SET outcome = 'cancelled' WHERE lost.family = one.id AND lost.number = child.number AND lost.outcome IS NULL;
      END LOOP;
      SELECT released.of_queue, released.of_id, released.answer INTO queue, id, answer FROM keyline.release_family(one.id) AS released;
      IF answer IS NULL AND (CASE WHEN last > one.looked_at THEN most - last ELSE most - one.looked_at + one.open_to - last END) > 500 THEN
        far := far || one.id;
        lasts := lasts || last;
        mosts := mosts || most;
      END IF;
    END IF;
    RETURN NEXT;
  END LOOP;
  UPDATE keyline.family AS known SET open_to = noted.last, looked_at = noted.most FROM unnest(far, lasts, mosts) AS noted (of_family, last, most)
    WHERE known.id = noted.of_family
      AND known.id = ANY (ARRAY(SELECT free.id FROM keyline.family AS free WHERE free.id = ANY (far) ORDER BY free.id FOR NO KEY UPDATE SKIP LOCKED));
END
$$;

-- As before, with what is noted of deaths.
CREATE OR REPLACE FUNCTION keyline.await_children(of_queue text, held_id text, held_attempts integer, held_parks integer, tag text, OUT answer text)
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
    answer := CASE WHEN parent.on_child_dead = 'die' AND EXISTS (SELECT FROM keyline.family_death AS death WHERE death.family = parent.id)
      THEN 'dead' ELSE 'done' END;
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
