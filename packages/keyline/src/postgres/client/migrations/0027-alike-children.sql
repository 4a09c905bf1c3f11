-- Children that are alike, which those of large families mostly are, are added without the lists that say of each what it has of its own; and children are found together when they end.

-- Children of one queue and one parent, which is there, of which each has an id and data and nothing else of its own. Lists are one text each, by place.
CREATE FUNCTION keyline.add_alike(
  of_queue text, packed_ids text, packed_datas text, of_parent_queue text, of_parent_id text, of_trace text, delivery text
) RETURNS void
LANGUAGE plpgsql
SET enable_seqscan = off SET plan_cache_mode = force_generic_plan SET work_mem = '64MB'
AS $$
DECLARE
  parent bigint;
  most integer;
BEGIN
  SELECT family.id INTO STRICT parent FROM keyline.family
    WHERE family.queue = of_parent_queue AND family.job_id = of_parent_id AND family.ended IS NULL;
  most := coalesce((SELECT max(known.number) FROM keyline.family_child AS known WHERE known.family = parent), 0);
  INSERT INTO keyline.job (queue, id, data, is_special, is_child, trace, delivered_to)
    SELECT of_queue, new.id, new.data::json, true, true, of_trace, delivery
    FROM ROWS FROM (string_to_table(packed_ids, E'\x1f'), string_to_table(packed_datas, E'\x1f')) WITH ORDINALITY AS new (id, data, place)
    ORDER BY new.place;
  INSERT INTO keyline.family_child (family, number, queue, id)
    SELECT parent, most + new.place, of_queue, new.id
    FROM string_to_table(packed_ids, E'\x1f') WITH ORDINALITY AS new (id, place) ORDER BY new.place;
END
$$;

-- As before. Where all are alike a parent without children is added, and they behind it.
CREATE OR REPLACE FUNCTION keyline.add_packed_family(
  of_queue text, root_id text, root_data text, root_most integer, root_priority text, root_keep bigint, root_death text,
  queues text[], packed_ids text, packed_datas text, most_attempts integer[], delays float8[], run_ats float8[], priorities text[], groups text[],
  keeps bigint[], own_ids boolean[], parent_queues text[], parent_ids text[], deaths text[], of_trace text, delivered json,
  OUT answer text, OUT taken integer, OUT orders json, OUT added_ms float8, OUT xid text, OUT deliveries json
)
LANGUAGE plpgsql
AS $$
DECLARE
  alike boolean := num_nonnulls(most_attempts, delays, run_ats, priorities, groups, keeps, own_ids, deaths) = 0
    AND cardinality(queues) = 1 AND cardinality(parent_queues) = 1 AND cardinality(parent_ids) = 1;
  ids text[] := CASE WHEN alike THEN '{}' ELSE string_to_array(packed_ids, E'\x1f') END;
  datas text[] := CASE WHEN alike THEN '{}' ELSE string_to_array(packed_datas, E'\x1f') END;
  many integer := cardinality(ids);
BEGIN
  SELECT done.answer, done.taken, done.orders, done.added_ms, done.xid, done.deliveries INTO answer, taken, orders, added_ms, xid, deliveries
    FROM keyline.add_large_family(
      of_queue, root_id, root_data, root_most, root_priority, root_keep, root_death,
      CASE WHEN alike THEN '{}' ELSE keyline.spread(queues, many) END, ids, datas,
      most_attempts, delays, run_ats, priorities, groups, keeps, own_ids,
      CASE WHEN alike THEN '{}' ELSE keyline.spread(parent_queues, many) END,
      CASE WHEN alike THEN '{}' ELSE keyline.spread(parent_ids, many) END, deaths, of_trace, delivered
    ) AS done;
  IF alike AND answer = 'added' THEN
    PERFORM keyline.add_alike(
      queues[1], packed_ids, packed_datas, parent_queues[1], parent_ids[1], of_trace, 'delivery:' || (deliveries ->> queues[1])
    );
  END IF;
END
$$;

-- As before, in the same way.
CREATE OR REPLACE FUNCTION keyline.add_packed_to_family(
  of_queue text, held_id text, held_attempts integer, held_parks integer, death text,
  queues text[], packed_ids text, packed_datas text, most_attempts integer[], delays float8[], run_ats float8[], priorities text[], groups text[],
  keeps bigint[], own_ids boolean[], parent_queues text[], parent_ids text[], deaths text[], of_trace text, delivered json,
  OUT answer text, OUT taken integer, OUT orders json, OUT added_ms float8, OUT xid text, OUT deliveries json
)
LANGUAGE plpgsql
AS $$
DECLARE
  alike boolean := num_nonnulls(most_attempts, delays, run_ats, priorities, groups, keeps, own_ids, deaths) = 0
    AND cardinality(queues) = 1 AND cardinality(parent_queues) = 1 AND cardinality(parent_ids) = 1;
  ids text[] := CASE WHEN alike THEN '{}' ELSE string_to_array(packed_ids, E'\x1f') END;
  datas text[] := CASE WHEN alike THEN '{}' ELSE string_to_array(packed_datas, E'\x1f') END;
  many integer := cardinality(ids);
BEGIN
  SELECT done.answer, done.taken, done.orders, done.added_ms, done.xid, done.deliveries INTO answer, taken, orders, added_ms, xid, deliveries
    FROM keyline.add_many_to_family(
      of_queue, held_id, held_attempts, held_parks, death,
      CASE WHEN alike THEN '{}' ELSE keyline.spread(queues, many) END, ids, datas,
      most_attempts, delays, run_ats, priorities, groups, keeps, own_ids,
      CASE WHEN alike THEN '{}' ELSE keyline.spread(parent_queues, many) END,
      CASE WHEN alike THEN '{}' ELSE keyline.spread(parent_ids, many) END, deaths, of_trace, delivered
    ) AS done;
  IF alike AND answer = 'added' THEN
    PERFORM keyline.add_alike(
      queues[1], packed_ids, packed_datas, parent_queues[1], parent_ids[1], of_trace, 'delivery:' || (deliveries ->> queues[1])
    );
  END IF;
END
$$;

-- Writes what children came to that end in this transaction, but for those that are gone, and tells of which families they are. They are found together, in the order of the index: one look
-- for each of them was a third of what their end took.
CREATE FUNCTION keyline.write_ends(of_queue text, ended_ids text[], ended_values text[], gone text[], OUT families text)
LANGUAGE plpgsql
SET enable_seqscan = off SET enable_bitmapscan = off SET enable_nestloop = off SET enable_mergejoin = off SET plan_cache_mode = force_generic_plan
AS $$
BEGIN
  WITH ended AS (
    UPDATE keyline.family_child AS child SET outcome = 'completed', value = kept.value::json
      FROM unnest(ended_ids, ended_values) AS kept (id, value)
      WHERE child.queue = of_queue AND child.id = ANY (ended_ids) AND child.outcome IS NULL
        AND child.id = kept.id AND (gone IS NULL OR kept.id <> ALL (gone))
      RETURNING child.family
  )
  SELECT string_agg(one.family::text, ',') INTO families FROM (SELECT DISTINCT ended.family FROM ended) AS one;
END
$$;

CREATE OR REPLACE FUNCTION keyline.end_children(
  of_queue text, held_ids text, held_attempts text, child_ids text, child_values text,
  OUT settled integer, OUT missing text, OUT xid text, OUT families text
)
LANGUAGE plpgsql
AS $$
BEGIN
  PERFORM set_config('keyline.ends_children', 'on', true);
  SELECT done.settled, done.missing, done.xid INTO settled, missing, xid FROM keyline.settle_jobs(of_queue, held_ids, held_attempts) AS done;
  PERFORM set_config('keyline.ends_children', 'off', true);
  families := keyline.write_ends(
    of_queue, string_to_array(coalesce(child_ids, held_ids), E'\x1f'), string_to_array(child_values, E'\x1f', ''), string_to_array(missing, E'\x1f')
  );
END
$$;
