-- Large families in few texts: most of the time to send one went into lists that say the same of each child, and into the marks around texts.

-- A list of so many, where one stands for all.
CREATE FUNCTION keyline.spread(list text[], count integer) RETURNS text[]
LANGUAGE sql IMMUTABLE
AS $$
  SELECT CASE WHEN cardinality(list) = 1 AND count > 1 THEN array_fill(list[1], ARRAY[count]) ELSE list END
$$;

-- As add_large_family. Ids and data are one text each, as the ids of settle_jobs; queues and parents may be one for all.
CREATE FUNCTION keyline.add_packed_family(
  of_queue text, root_id text, root_data text, root_most integer, root_priority text, root_keep bigint, root_death text,
  queues text[], packed_ids text, packed_datas text, most_attempts integer[], delays float8[], run_ats float8[], priorities text[], groups text[],
  keeps bigint[], own_ids boolean[], parent_queues text[], parent_ids text[], deaths text[], of_trace text, delivered json,
  OUT answer text, OUT taken integer, OUT orders json, OUT added_ms float8, OUT xid text, OUT deliveries json
)
LANGUAGE plpgsql
AS $$
DECLARE
  ids text[] := string_to_array(packed_ids, E'\x1f');
  many integer := cardinality(ids);
BEGIN
  SELECT done.answer, done.taken, done.orders, done.added_ms, done.xid, done.deliveries INTO answer, taken, orders, added_ms, xid, deliveries
    FROM keyline.add_large_family(
      of_queue, root_id, root_data, root_most, root_priority, root_keep, root_death,
      keyline.spread(queues, many), ids, string_to_array(packed_datas, E'\x1f'), most_attempts, delays, run_ats, priorities, groups, keeps, own_ids,
      keyline.spread(parent_queues, many), keyline.spread(parent_ids, many), deaths, of_trace, delivered
    ) AS done;
END
$$;

-- As add_many_to_family, in the same way.
CREATE FUNCTION keyline.add_packed_to_family(
  of_queue text, held_id text, held_attempts integer, held_parks integer, death text,
  queues text[], packed_ids text, packed_datas text, most_attempts integer[], delays float8[], run_ats float8[], priorities text[], groups text[],
  keeps bigint[], own_ids boolean[], parent_queues text[], parent_ids text[], deaths text[], of_trace text, delivered json,
  OUT answer text, OUT taken integer, OUT orders json, OUT added_ms float8, OUT xid text, OUT deliveries json
)
LANGUAGE plpgsql
AS $$
DECLARE
  ids text[] := string_to_array(packed_ids, E'\x1f');
  many integer := cardinality(ids);
BEGIN
  SELECT done.answer, done.taken, done.orders, done.added_ms, done.xid, done.deliveries INTO answer, taken, orders, added_ms, xid, deliveries
    FROM keyline.add_many_to_family(
      of_queue, held_id, held_attempts, held_parks, death,
      keyline.spread(queues, many), ids, string_to_array(packed_datas, E'\x1f'), most_attempts, delays, run_ats, priorities, groups, keeps, own_ids,
      keyline.spread(parent_queues, many), keyline.spread(parent_ids, many), deaths, of_trace, delivered
    ) AS done;
END
$$;
