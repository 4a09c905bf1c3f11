-- The trace of whoever added a job, published a message or appended an event, where somebody wants to know of it: it travels with it. NULL where nobody does.

ALTER TABLE keyline.job ADD COLUMN trace text;
ALTER TABLE keyline.message ADD COLUMN trace text;
ALTER TABLE keyline.event ADD COLUMN trace text;

-- Adds jobs of which only one is to be there, each with its trace.
CREATE FUNCTION keyline.add_once(
  of_queue text, ids text[], datas text[], most_attempts integer[], delays float8[], run_ats float8[], priorities text[], groups text[],
  own_ids boolean[], keys text[], windows float8[], keeps text[], keep_results bigint[], traces text[]
) RETURNS TABLE (place bigint, there text, added boolean, in_order text, sooner json)
LANGUAGE plpgsql
AS $$
#variable_conflict use_column
BEGIN
  FOR place, there, added, in_order, sooner IN
    SELECT once.place, once.there, once.added, once.in_order, once.sooner
    FROM keyline.add_once(of_queue, ids, datas, most_attempts, delays, run_ats, priorities, groups, own_ids, keys, windows, keeps, keep_results) AS once
  LOOP
    IF added THEN UPDATE keyline.job SET trace = traces[add_once.place] WHERE queue = of_queue AND id = add_once.there; END IF;
    RETURN NEXT;
  END LOOP;
END
$$;

-- A parent and everything below it, with one trace.
CREATE FUNCTION keyline.add_family(
  of_queue text, root_id text, root_data text, root_most integer, root_priority text, root_keep bigint, root_death text,
  queues text[], ids text[], datas text[], most_attempts integer[], delays float8[], run_ats float8[], priorities text[], groups text[], keeps bigint[],
  own_ids boolean[], parent_queues text[], parent_ids text[], deaths text[], of_trace text,
  OUT answer text, OUT taken integer, OUT orders json, OUT added_ms float8, OUT xid text
)
LANGUAGE plpgsql
SET enable_seqscan = off SET plan_cache_mode = force_generic_plan
AS $$
BEGIN
  SELECT done.answer, done.taken, done.orders, done.added_ms, done.xid INTO answer, taken, orders, added_ms, xid
    FROM keyline.add_family(
      of_queue, root_id, root_data, root_most, root_priority, root_keep, root_death,
      queues, ids, datas, most_attempts, delays, run_ats, priorities, groups, keeps, own_ids, parent_queues, parent_ids, deaths
    ) AS done;
  IF answer = 'added' THEN
    UPDATE keyline.job SET trace = of_trace
      FROM unnest(queues || of_queue, ids || root_id) AS new (queue, id) WHERE job.queue = new.queue AND job.id = new.id;
  END IF;
END
$$;

-- The same of children below a job that is held.
CREATE FUNCTION keyline.add_to_family(
  of_queue text, held_id text, held_attempts integer, held_parks integer, death text,
  queues text[], ids text[], datas text[], most_attempts integer[], delays float8[], run_ats float8[], priorities text[], groups text[], keeps bigint[],
  own_ids boolean[], parent_queues text[], parent_ids text[], deaths text[], of_trace text,
  OUT answer text, OUT taken integer, OUT orders json, OUT added_ms float8, OUT xid text
)
LANGUAGE plpgsql
SET enable_seqscan = off SET plan_cache_mode = force_generic_plan
AS $$
BEGIN
  SELECT done.answer, done.taken, done.orders, done.added_ms, done.xid INTO answer, taken, orders, added_ms, xid
    FROM keyline.add_to_family(
      of_queue, held_id, held_attempts, held_parks, death,
      queues, ids, datas, most_attempts, delays, run_ats, priorities, groups, keeps, own_ids, parent_queues, parent_ids, deaths
    ) AS done;
  IF answer = 'added' THEN
    UPDATE keyline.job SET trace = of_trace FROM unnest(queues, ids) AS new (queue, id) WHERE job.queue = new.queue AND job.id = new.id;
  END IF;
END
$$;

-- As before, with the trace.
DROP FUNCTION keyline.take_messages(integer, interval, text[]);
CREATE FUNCTION keyline.take_messages(at_most integer, patience interval, but text[])
RETURNS TABLE (
  seq bigint, outbox text, number bigint, channel text, id text, data text, at float8, history_size integer, history_ttl bigint, trace text
)
LANGUAGE plpgsql
SET enable_seqscan = off
AS $$
DECLARE
  last bigint;
  channels text[];
BEGIN
  IF EXISTS (SELECT FROM keyline.message WHERE message.number IS NULL AND message.channel <> ALL (but)) THEN
    SELECT greatest(last_number, floor(extract(epoch FROM clock_timestamp()) * 1000000)) INTO last FROM keyline.outbox FOR UPDATE;
    WITH fresh AS (
      SELECT message.seq, row_number() OVER (ORDER BY message.seq) AS place
      FROM (SELECT new.seq FROM keyline.message AS new WHERE new.number IS NULL AND new.channel <> ALL (but) ORDER BY new.seq LIMIT at_most) AS message
    ), numbered AS (
      UPDATE keyline.message SET number = last + fresh.place, numbered_at = clock_timestamp()
      FROM fresh WHERE message.seq = fresh.seq AND message.number IS NULL
      RETURNING message.channel, message.number
    )
    SELECT array_agg(DISTINCT numbered.channel), coalesce(max(numbered.number), last) INTO channels, last FROM numbered;
    UPDATE keyline.outbox SET last_number = last;
  END IF;
  RETURN QUERY
    SELECT due.seq, due.outbox, due.number, due.channel, due.id, due.data, due.at, due.history_size, due.history_ttl, due.trace
    FROM (
      SELECT message.seq, outbox.name AS outbox, message.number, message.channel, message.id, message.data,
        floor(extract(epoch FROM message.added_at) * 1000)::float8 AS at, message.history_size, message.history_ttl, message.trace,
        row_number() OVER (PARTITION BY message.channel ORDER BY message.number) AS place,
        sum(length(message.data)) OVER (ORDER BY message.number) - length(message.data) AS before
      FROM keyline.message, keyline.outbox
      WHERE message.number IS NOT NULL AND message.channel <> ALL (but)
        AND message.channel IN (
          SELECT unnest(channels)
          UNION SELECT late.channel FROM keyline.message AS late WHERE late.numbered_at < clock_timestamp() - patience
        )
    ) AS due
    WHERE due.place <= at_most AND due.before < 8388608
    ORDER BY due.number LIMIT at_most * 10;
END
$$;

-- As before, with the trace.
CREATE OR REPLACE FUNCTION keyline.place_events(of_stream text, next bigint, at_most integer) RETURNS integer LANGUAGE plpgsql
SET enable_seqscan = off AS $$
DECLARE
  placed integer;
BEGIN
  WITH moved AS (
    DELETE FROM keyline.event WHERE stream = of_stream AND position = ANY (ARRAY(
      SELECT position FROM keyline.event WHERE stream = of_stream AND position < 0 ORDER BY position DESC LIMIT at_most
    )) AND position < 0
    RETURNING position, key, data, row_id, trace
  )
  INSERT INTO keyline.event (stream, position, key, data, row_id, trace)
  SELECT of_stream, next - 1 + row_number() OVER (ORDER BY moved.position DESC), moved.key, moved.data, moved.row_id, moved.trace FROM moved;
  GET DIAGNOSTICS placed = ROW_COUNT;
  RETURN placed;
END
$$;

-- As before, each event with its trace.
CREATE FUNCTION keyline.append_events(of_stream text, datas text[], keys text[], traces text[], OUT before bigint, OUT placed integer, OUT first bigint)
LANGUAGE plpgsql AS $$
DECLARE
  next bigint;
BEGIN
  SELECT locked.before, locked.next INTO before, next FROM keyline.lock_stream(of_stream) AS locked;
  placed := 0;
  IF EXISTS (SELECT FROM keyline.event WHERE stream = of_stream AND position < 0) THEN
    placed := keyline.place_events(of_stream, next, 2147483647);
  END IF;
  first := next + placed;
  INSERT INTO keyline.event (stream, position, key, data, trace)
  SELECT of_stream, first - 1 + item.place, item.key, item.data, item.trace
  FROM unnest(datas, keys, traces) WITH ORDINALITY AS item (data, key, trace, place);
  UPDATE keyline.stream SET last_position = first - 1 + cardinality(datas) WHERE name = of_stream;
END
$$;

-- The same for one event, unless its idempotency key is known.
CREATE FUNCTION keyline.append_event_once(
  of_stream text, new_data text, new_key text, once text, window_ms bigint, new_trace text,
  OUT known text, OUT before bigint, OUT placed integer, OUT first bigint
) LANGUAGE plpgsql AS $$
BEGIN
  known := keyline.claim_once(of_stream, once, '', window_ms);
  IF known IS NOT NULL THEN RETURN; END IF;
  SELECT done.before, done.placed, done.first INTO before, placed, first FROM keyline.append_events(of_stream, ARRAY[new_data], ARRAY[new_key], ARRAY[new_trace]) AS done;
  UPDATE keyline.event_once SET id = (first >> 20) || '-' || (first & 1048575) WHERE stream = of_stream AND idempotency_key = once;
END
$$;

-- As before, with the trace.
DROP FUNCTION keyline.read_committed_events(text, bigint, bigint, integer, boolean, integer);
CREATE FUNCTION keyline.read_committed_events(
  of_stream text, behind bigint, up_to bigint, at_most integer, backwards boolean, at_most_bytes integer
) RETURNS TABLE (id text, key text, data text, trace text) LANGUAGE plpgsql AS $$
BEGIN
  PERFORM keyline.place_committed(of_stream, 2147483647);
  IF backwards THEN
    RETURN QUERY SELECT (page.position >> 20) || '-' || (page.position & 1048575), page.key, page.data, page.trace FROM (
      SELECT *, sum(octet_length(found.data)) OVER (ORDER BY found.position DESC ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS size_before
      FROM (
        SELECT event.position, event.key, event.data, event.trace FROM keyline.event
        WHERE stream = of_stream AND event.position > behind AND event.position <= up_to ORDER BY event.position DESC LIMIT at_most
      ) AS found
    ) AS page WHERE size_before IS NULL OR size_before < at_most_bytes ORDER BY page.position DESC;
  ELSE
    RETURN QUERY SELECT (page.position >> 20) || '-' || (page.position & 1048575), page.key, page.data, page.trace FROM (
      SELECT *, sum(octet_length(found.data)) OVER (ORDER BY found.position ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS size_before
      FROM (
        SELECT event.position, event.key, event.data, event.trace FROM keyline.event
        WHERE stream = of_stream AND event.position > behind AND event.position <= up_to ORDER BY event.position LIMIT at_most
      ) AS found
    ) AS page WHERE size_before IS NULL OR size_before < at_most_bytes ORDER BY page.position;
  END IF;
END
$$;
