-- As before, by the order of ids, so that two families which name the same children crosswise do not wait for each other: their places among all jobs are those in which they were given. A
-- parent whose id is its caller's comes before its children all the same: where each of two is a child of the other, PostgreSQL has one of them begin anew.
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
  INSERT INTO keyline.job (queue, id, seq, data, max_attempts, due_at, state, priority, group_name, keep_result, is_special, is_child, parked, parks, delivered_to)
    OVERRIDING SYSTEM VALUE
    SELECT new.queue, new.id, new.seq, new.data::json, new.most, new.due_at,
      CASE WHEN new.death IS NOT NULL OR new.due_at > now() THEN 'scheduled' ELSE 'waiting' END, new.priority, new.group_name, new.keep, true, true,
      CASE WHEN new.death IS NOT NULL THEN 'children' END, CASE WHEN new.death IS NOT NULL THEN 1 END,
      CASE WHEN new.death IS NULL THEN marks[array_position(noted, new.queue)] END
    FROM (
      SELECT child.*, coalesce(to_timestamp(run_at / 1000), statement_timestamp() + delay * interval '1 millisecond') AS due_at,
        nextval('keyline.job_seq_seq') AS seq
      FROM unnest(queues, ids, datas, most_attempts, delays, run_ats, priorities, groups, keeps, deaths) WITH ORDINALITY
        AS child (queue, id, data, most, delay, run_at, priority, group_name, keep, death, place)
      OFFSET 0
    ) AS new ORDER BY new.queue COLLATE "C", new.id COLLATE "C";
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
