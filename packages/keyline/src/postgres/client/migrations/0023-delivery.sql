-- The children of a large family are noted as delivered by one row for all of them: to write it into each row cost as much as to end it.

-- Jobs that were added together and that nobody is known to have delivered. Their rows say `delivered_to = 'delivery:<id>'`, which is no epoch: once the row here is gone they
-- count as delivered, and every rebuild looks at them. Where it stays, keyline.release_delivery makes them rows like others that were not delivered.
CREATE TABLE keyline.delivery (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  queue text COLLATE "C" NOT NULL,
  -- All of them are between these.
  first_id text COLLATE "C" NOT NULL,
  last_id text COLLATE "C" NOT NULL
);

-- As before, and what `keyline.delivers` names is to be noted together: an array of { queue, first, last }. It is an object with the numbers of their deliveries afterwards.
CREATE OR REPLACE FUNCTION keyline.add_children(
  queues text[], ids text[], datas text[], most_attempts integer[], delays float8[], run_ats float8[], priorities text[], groups text[], keeps bigint[],
  parent_queues text[], parent_ids text[], deaths text[]
) RETURNS json
LANGUAGE plpgsql
SET enable_seqscan = off SET plan_cache_mode = force_generic_plan SET work_mem = '64MB'
AS $$
DECLARE
  orders json;
  delivers text := coalesce(current_setting('keyline.delivers', true), '');
  noted text[];
  marks text[];
BEGIN
  IF delivers <> '' THEN
    WITH added AS (
      INSERT INTO keyline.delivery (queue, first_id, last_id)
        SELECT one.queue, one.first, one.last FROM json_to_recordset(delivers::json) AS one (queue text, first text, last text)
        RETURNING delivery.queue, delivery.id
    )
    SELECT array_agg(added.queue), array_agg('delivery:' || added.id), json_object_agg(added.queue, added.id::text) INTO noted, marks, delivers FROM added;
    PERFORM set_config('keyline.delivers', delivers, true);
  END IF;
  INSERT INTO keyline.job (queue, id, data, max_attempts, due_at, state, priority, group_name, keep_result, is_special, is_child, parked, parks, delivered_to)
    SELECT new.queue, new.id, new.data::json, new.most, new.due_at,
      CASE WHEN new.death IS NOT NULL OR new.due_at > now() THEN 'scheduled' ELSE 'waiting' END, new.priority, new.group_name, new.keep, true, true,
      CASE WHEN new.death IS NOT NULL THEN 'children' END, CASE WHEN new.death IS NOT NULL THEN 1 END,
      CASE WHEN new.death IS NULL THEN marks[array_position(noted, new.queue)] END
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

-- As add_family, by a caller who notes deliveries together: `delivered` says which, and `deliveries` gives their numbers by their queues.
CREATE FUNCTION keyline.add_large_family(
  of_queue text, root_id text, root_data text, root_most integer, root_priority text, root_keep bigint, root_death text,
  queues text[], ids text[], datas text[], most_attempts integer[], delays float8[], run_ats float8[], priorities text[], groups text[], keeps bigint[],
  own_ids boolean[], parent_queues text[], parent_ids text[], deaths text[], of_trace text, delivered json,
  OUT answer text, OUT taken integer, OUT orders json, OUT added_ms float8, OUT xid text, OUT deliveries json
)
LANGUAGE plpgsql
AS $$
BEGIN
  PERFORM set_config('keyline.delivers', delivered::text, true);
  IF of_trace IS NULL THEN
    SELECT done.answer, done.taken, done.orders, done.added_ms, done.xid INTO answer, taken, orders, added_ms, xid
      FROM keyline.add_family(
        of_queue, root_id, root_data, root_most, root_priority, root_keep, root_death,
        queues, ids, datas, most_attempts, delays, run_ats, priorities, groups, keeps, own_ids, parent_queues, parent_ids, deaths
      ) AS done;
  ELSE
    SELECT done.answer, done.taken, done.orders, done.added_ms, done.xid INTO answer, taken, orders, added_ms, xid
      FROM keyline.add_family(
        of_queue, root_id, root_data, root_most, root_priority, root_keep, root_death,
        queues, ids, datas, most_attempts, delays, run_ats, priorities, groups, keeps, own_ids, parent_queues, parent_ids, deaths, of_trace
      ) AS done;
  END IF;
  IF answer = 'added' THEN deliveries := current_setting('keyline.delivers')::json; END IF;
  PERFORM set_config('keyline.delivers', '', true);
END
$$;

-- As add_to_family, in the same way.
CREATE FUNCTION keyline.add_many_to_family(
  of_queue text, held_id text, held_attempts integer, held_parks integer, death text,
  queues text[], ids text[], datas text[], most_attempts integer[], delays float8[], run_ats float8[], priorities text[], groups text[], keeps bigint[],
  own_ids boolean[], parent_queues text[], parent_ids text[], deaths text[], of_trace text, delivered json,
  OUT answer text, OUT taken integer, OUT orders json, OUT added_ms float8, OUT xid text, OUT deliveries json
)
LANGUAGE plpgsql
AS $$
BEGIN
  PERFORM set_config('keyline.delivers', delivered::text, true);
  IF of_trace IS NULL THEN
    SELECT done.answer, done.taken, done.orders, done.added_ms, done.xid INTO answer, taken, orders, added_ms, xid
      FROM keyline.add_to_family(
        of_queue, held_id, held_attempts, held_parks, death,
        queues, ids, datas, most_attempts, delays, run_ats, priorities, groups, keeps, own_ids, parent_queues, parent_ids, deaths
      ) AS done;
  ELSE
    SELECT done.answer, done.taken, done.orders, done.added_ms, done.xid INTO answer, taken, orders, added_ms, xid
      FROM keyline.add_to_family(
        of_queue, held_id, held_attempts, held_parks, death,
        queues, ids, datas, most_attempts, delays, run_ats, priorities, groups, keeps, own_ids, parent_queues, parent_ids, deaths, of_trace
      ) AS done;
  END IF;
  IF answer = 'added' THEN deliveries := current_setting('keyline.delivers')::json; END IF;
  PERFORM set_config('keyline.delivers', '', true);
END
$$;

-- Notes that all jobs of these deliveries went to an epoch, if that is in charge, and returns whether it is. The shared lock makes a change of the epoch wait, as in mark_delivered.
CREATE FUNCTION keyline.note_deliveries(of_queue text, to_epoch text, deliveries bigint[]) RETURNS boolean
LANGUAGE plpgsql
SET enable_seqscan = off
AS $$
BEGIN
  PERFORM FROM keyline.queue WHERE name = of_queue AND epoch = to_epoch FOR SHARE;
  IF NOT FOUND THEN RETURN false; END IF;
  DELETE FROM keyline.delivery WHERE delivery.id = ANY (deliveries);
  RETURN true;
END
$$;

-- Leaves jobs of a delivery that nobody has noted to the relay, some at a time. True when none are left.
CREATE FUNCTION keyline.release_delivery(of_delivery bigint, page integer) RETURNS boolean
LANGUAGE plpgsql
SET enable_seqscan = off SET enable_bitmapscan = off SET plan_cache_mode = force_generic_plan
AS $$
DECLARE
  one record;
  mark text := 'delivery:' || of_delivery;
  left_ids text[];
BEGIN
  SELECT delivery.queue, delivery.first_id, delivery.last_id INTO one FROM keyline.delivery WHERE delivery.id = of_delivery FOR UPDATE;
  IF NOT FOUND THEN RETURN true; END IF;
  -- Without a lock: of rows that are locked one may be gone when its turn comes, and a page that lacks one would pass for the last.
  left_ids := ARRAY(
    SELECT job.id FROM keyline.job
      WHERE job.queue = one.queue AND job.id BETWEEN one.first_id AND one.last_id AND job.delivered_to = mark
      ORDER BY job.id LIMIT page
  );
  UPDATE keyline.job SET delivered_to = NULL WHERE job.queue = one.queue AND job.id = ANY (left_ids) AND job.delivered_to = mark;
  IF cardinality(left_ids) = page THEN
    UPDATE keyline.delivery SET first_id = left_ids[page] WHERE delivery.id = of_delivery;
    RETURN false;
  END IF;
  DELETE FROM keyline.delivery WHERE delivery.id = of_delivery;
  RETURN true;
END
$$;
