-- Transactional streams: the record of every event, the positions of those who read them, and what keeps them from reading twice.

-- One row a stream. Its lock makes positions grow in the order of commits.
CREATE TABLE keyline.stream (
  name text COLLATE "C" PRIMARY KEY,
  -- Of the newest event; see keyline.event.
  last_position bigint NOT NULL DEFAULT 0,
  -- Events come behind this: Valkey had shown some up to here that this record does not have. It was restored from a backup.
  begins_behind bigint NOT NULL DEFAULT 0,
  -- Events up to here are gone: retention dropped them.
  dropped_position bigint NOT NULL DEFAULT 0,
  -- How long events are kept, in milliseconds; NULL for ever.
  max_age bigint
);

-- The events. A position is the stream id on Valkey as one number: milliseconds times 2^20, plus the sequence number. An event that was
-- appended within a transaction has a negative position until that one has committed, and then moves to its place.
CREATE TABLE keyline.event (
  stream text COLLATE "C" NOT NULL,
  position bigint NOT NULL,
  key text COLLATE "C",
  data text NOT NULL,
  -- Given to who appended within a transaction, before there was a position.
  row_id text COLLATE "C"
) PARTITION BY RANGE (position);

CREATE UNIQUE INDEX event_place ON keyline.event (stream, position);
CREATE INDEX event_key ON keyline.event (stream, key, position) WHERE key IS NOT NULL;
CREATE INDEX event_row ON keyline.event (row_id) WHERE row_id IS NOT NULL;

CREATE TABLE keyline.event_pending PARTITION OF keyline.event FOR VALUES FROM (MINVALUE) TO (0)
  WITH (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 10000, autovacuum_vacuum_cost_delay = 0);
CREATE SEQUENCE keyline.event_pending_position AS bigint INCREMENT BY -1 MAXVALUE -1 START WITH -1 CACHE 1;
ALTER TABLE keyline.event ALTER COLUMN position SET DEFAULT nextval('keyline.event_pending_position');

-- Makes the partition of one week: attached, not created in place, which would wait for every open transaction. With the rights of who
-- migrated, for who appends may not create tables.
CREATE FUNCTION keyline.make_event_week(moment timestamptz) RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  first timestamptz := date_trunc('week', moment, 'UTC');
  partition text := 'event_' || to_char(first AT TIME ZONE 'UTC', 'YYYYMMDD');
BEGIN
  PERFORM pg_advisory_xact_lock(7738160520);
  IF to_regclass('keyline.' || partition) IS NOT NULL THEN RETURN; END IF;
  EXECUTE format('CREATE TABLE keyline.%I (LIKE keyline.event INCLUDING DEFAULTS INCLUDING INDEXES)', partition);
  EXECUTE format('ALTER TABLE keyline.event ATTACH PARTITION keyline.%I FOR VALUES FROM (%s) TO (%s)', partition,
    (extract(epoch FROM first) * 1000)::bigint << 20, (extract(epoch FROM first + interval '7 days') * 1000)::bigint << 20);
END
$$;

-- The same where it is not there.
CREATE FUNCTION keyline.ensure_event_week(moment timestamptz) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  IF to_regclass('keyline.event_' || to_char(date_trunc('week', moment, 'UTC') AT TIME ZONE 'UTC', 'YYYYMMDD')) IS NULL THEN
    PERFORM keyline.make_event_week(moment);
  END IF;
END
$$;

SELECT keyline.ensure_event_week(now()), keyline.ensure_event_week(now() + interval '7 days');

-- The stream's last position, with its lock: nobody else gives positions until this transaction ends. `next` is the first that is free.
CREATE FUNCTION keyline.lock_stream(of_stream text, OUT before bigint, OUT next bigint) LANGUAGE plpgsql AS $$
DECLARE
  behind bigint;
BEGIN
  SELECT last_position, begins_behind INTO before, behind FROM keyline.stream WHERE name = of_stream FOR UPDATE;
  IF NOT FOUND THEN
    INSERT INTO keyline.stream (name) VALUES (of_stream) ON CONFLICT DO NOTHING;
    SELECT last_position, begins_behind INTO before, behind FROM keyline.stream WHERE name = of_stream FOR UPDATE;
  END IF;
  next := greatest(before + 1, behind + 1, floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint << 20);
  PERFORM keyline.ensure_event_week(to_timestamp((next >> 20) / 1000.0));
END
$$;

-- Gives positions to what was committed, from `next` on, for who has the stream's lock. Returns how many there were.
CREATE FUNCTION keyline.place_events(of_stream text, next bigint, at_most integer) RETURNS integer LANGUAGE plpgsql
SET enable_seqscan = off AS $$
DECLARE
  placed integer;
BEGIN
  WITH moved AS (
    DELETE FROM keyline.event WHERE stream = of_stream AND position = ANY (ARRAY(
      SELECT position FROM keyline.event WHERE stream = of_stream AND position < 0 ORDER BY position DESC LIMIT at_most
    )) AND position < 0
    RETURNING position, key, data, row_id
  )
  INSERT INTO keyline.event (stream, position, key, data, row_id)
  SELECT of_stream, next - 1 + row_number() OVER (ORDER BY moved.position DESC), moved.key, moved.data, moved.row_id FROM moved;
  GET DIAGNOSTICS placed = ROW_COUNT;
  RETURN placed;
END
$$;

-- Appends events outside of anybody's transaction. Positions are `first` and those after it; `before` is the last one that was there when
-- the lock was had, `placed` how many events of other transactions came in between.
CREATE FUNCTION keyline.append_events(of_stream text, datas text[], keys text[], OUT before bigint, OUT placed integer, OUT first bigint)
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
  INSERT INTO keyline.event (stream, position, key, data)
  SELECT of_stream, first - 1 + item.place, item.key, item.data
  FROM unnest(datas, keys) WITH ORDINALITY AS item (data, key, place);
  UPDATE keyline.stream SET last_position = first - 1 + cardinality(datas) WHERE name = of_stream;
END
$$;

-- Places committed events of a stream, and says where it ends: `before` is where it ended when the lock was had.
CREATE FUNCTION keyline.place_committed(of_stream text, at_most integer, OUT before bigint, OUT placed integer, OUT last bigint)
LANGUAGE plpgsql AS $$
DECLARE
  next bigint;
BEGIN
  placed := 0;
  IF NOT EXISTS (SELECT FROM keyline.event WHERE stream = of_stream AND position < 0) THEN
    SELECT last_position INTO before FROM keyline.stream WHERE name = of_stream;
    before := coalesce(before, 0);
    last := before;
    RETURN;
  END IF;
  SELECT locked.before, locked.next INTO before, next FROM keyline.lock_stream(of_stream) AS locked;
  placed := keyline.place_events(of_stream, next, at_most);
  last := CASE WHEN placed = 0 THEN before ELSE next - 1 + placed END;
  IF placed > 0 THEN UPDATE keyline.stream SET last_position = last WHERE name = of_stream; END IF;
END
$$;

-- A page of what is committed behind a position, in order, with its place given where it had none. It ends with the event that makes it
-- larger than `at_most_bytes`.
CREATE FUNCTION keyline.read_committed_events(
  of_stream text, behind bigint, up_to bigint, at_most integer, backwards boolean, at_most_bytes integer
) RETURNS TABLE (id text, key text, data text) LANGUAGE plpgsql AS $$
BEGIN
  PERFORM keyline.place_committed(of_stream, 2147483647);
  IF backwards THEN
    RETURN QUERY SELECT (page.position >> 20) || '-' || (page.position & 1048575), page.key, page.data FROM (
      SELECT *, sum(octet_length(found.data)) OVER (ORDER BY found.position DESC ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS size_before
      FROM (
        SELECT event.position, event.key, event.data FROM keyline.event
        WHERE stream = of_stream AND event.position > behind AND event.position <= up_to ORDER BY event.position DESC LIMIT at_most
      ) AS found
    ) AS page WHERE size_before IS NULL OR size_before < at_most_bytes ORDER BY page.position DESC;
  ELSE
    RETURN QUERY SELECT (page.position >> 20) || '-' || (page.position & 1048575), page.key, page.data FROM (
      SELECT *, sum(octet_length(found.data)) OVER (ORDER BY found.position ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS size_before
      FROM (
        SELECT event.position, event.key, event.data FROM keyline.event
        WHERE stream = of_stream AND event.position > behind AND event.position <= up_to ORDER BY event.position LIMIT at_most
      ) AS found
    ) AS page WHERE size_before IS NULL OR size_before < at_most_bytes ORDER BY page.position;
  END IF;
END
$$;

-- Whether a stream that keeps events for `max_age` milliseconds keeps none of those before a position; NULL where it keeps all.
CREATE FUNCTION keyline.is_expired(max_age bigint, next bigint) RETURNS boolean LANGUAGE sql STABLE
RETURN to_timestamp((next >> 20) / 1000.0) < now() - max_age * interval '1 millisecond';

-- Drops events whose stream keeps none of that age: whole weeks where nobody else has events in them, otherwise up to `at_most` rows. Weeks that are
-- in use at the moment are left for the next time. Returns whether there may be more to drop, NULL where that was in use. With the rights
-- of who migrated: only the owner of a table may drop it.
CREATE FUNCTION keyline.drop_expired_events(at_most integer) RETURNS boolean LANGUAGE plpgsql
SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET lock_timeout = '200ms' AS $$
DECLARE
  week record;
  dropped integer;
  is_more boolean := false;
BEGIN
  FOR week IN
    SELECT child.relname AS name, (bounds.parts[1])::bigint AS first, (bounds.parts[2])::bigint AS next
    FROM pg_inherits
    JOIN pg_class AS child ON child.oid = inhrelid
    CROSS JOIN LATERAL regexp_match(pg_get_expr(child.relpartbound, child.oid), '\(''?(\d+)''?\) TO \(''?(\d+)''?\)') AS bounds (parts)
    WHERE inhparent = 'keyline.event'::regclass AND bounds.parts IS NOT NULL
    ORDER BY 2
  LOOP
    CONTINUE WHEN NOT EXISTS (SELECT FROM keyline.stream WHERE keyline.is_expired(max_age, week.next));
    BEGIN
      -- Two who drop at the same time take turns, and the second finds that it is gone.
      PERFORM pg_advisory_xact_lock(7738160521);
      CONTINUE WHEN to_regclass('keyline.' || week.name) IS NULL;
      UPDATE keyline.stream SET dropped_position = newest.position
        FROM keyline.stream AS expired CROSS JOIN LATERAL (
          SELECT event.position FROM keyline.event
          WHERE event.stream = expired.name AND position >= week.first AND position < week.next ORDER BY position DESC LIMIT 1
        ) AS newest
        WHERE stream.name = expired.name AND keyline.is_expired(expired.max_age, week.next) AND stream.dropped_position < newest.position;
      IF EXISTS (
        SELECT FROM keyline.stream WHERE keyline.is_expired(max_age, week.next) IS NOT TRUE AND EXISTS (
          SELECT FROM keyline.event WHERE event.stream = stream.name AND position >= week.first AND position < week.next
        )
      ) THEN
        DELETE FROM keyline.event WHERE (stream, position) IN (
          SELECT old.stream, old.position FROM keyline.stream AS expired CROSS JOIN LATERAL (
            SELECT event.stream, event.position FROM keyline.event
            WHERE event.stream = expired.name AND position >= week.first AND position < week.next LIMIT at_most
          ) AS old
          WHERE keyline.is_expired(expired.max_age, week.next) LIMIT at_most
        ) AND position >= week.first AND position < week.next;
        GET DIAGNOSTICS dropped = ROW_COUNT;
        IF dropped = at_most THEN RETURN true; END IF;
      ELSE
        EXECUTE format('DROP TABLE keyline.%I', week.name);
      END IF;
    EXCEPTION WHEN lock_not_available THEN
      is_more := NULL;
    END;
  END LOOP;
  RETURN is_more;
END
$$;

-- What an idempotency key was answered with, until when.
CREATE TABLE keyline.event_once (
  stream text COLLATE "C" NOT NULL,
  idempotency_key text COLLATE "C" NOT NULL,
  id text NOT NULL,
  until timestamptz NOT NULL,
  PRIMARY KEY (stream, idempotency_key)
);
CREATE INDEX event_once_until ON keyline.event_once (until);

-- Claims an idempotency key for `window_ms` milliseconds. Returns the id that it was answered with before; NULL where it is new. A claim by a
-- transaction that is open is waited for.
CREATE FUNCTION keyline.claim_once(of_stream text, once text, new_id text, window_ms bigint) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  known text;
BEGIN
  INSERT INTO keyline.event_once AS claim (stream, idempotency_key, id, until)
  VALUES (of_stream, once, new_id, clock_timestamp() + window_ms * interval '1 millisecond')
  ON CONFLICT (stream, idempotency_key) DO UPDATE SET id = excluded.id, until = excluded.until WHERE claim.until < clock_timestamp();
  IF FOUND THEN RETURN NULL; END IF;
  SELECT id INTO known FROM keyline.event_once WHERE stream = of_stream AND idempotency_key = once;
  RETURN known;
END
$$;

-- Appends one event under an idempotency key, outside of anybody's transaction. `known` is the id of an earlier one, where there was one.
CREATE FUNCTION keyline.append_event_once(
  of_stream text, new_data text, new_key text, once text, window_ms bigint,
  OUT known text, OUT before bigint, OUT placed integer, OUT first bigint
) LANGUAGE plpgsql AS $$
BEGIN
  known := keyline.claim_once(of_stream, once, '', window_ms);
  IF known IS NOT NULL THEN RETURN; END IF;
  SELECT done.before, done.placed, done.first INTO before, placed, first FROM keyline.append_events(of_stream, ARRAY[new_data], ARRAY[new_key]) AS done;
  UPDATE keyline.event_once SET id = (first >> 20) || '-' || (first & 1048575) WHERE stream = of_stream AND idempotency_key = once;
END
$$;

-- Consumer groups of transactional streams. Every event up to `floor` is finished.
CREATE TABLE keyline.consumer_group (
  stream text COLLATE "C" NOT NULL,
  name text COLLATE "C" NOT NULL,
  floor bigint NOT NULL,
  -- Settled events up to here are forgotten as soon as every transaction before `forget_after` has ended: see keyline.forget_settled.
  forget_up_to bigint NOT NULL DEFAULT 0,
  forget_after xid8 NOT NULL DEFAULT '0',
  PRIMARY KEY (stream, name)
);

-- Events above a group's floor that are finished: their effects were committed together with this row, or they are dead letters.
CREATE TABLE keyline.settled_event (
  stream text COLLATE "C" NOT NULL,
  group_name text COLLATE "C" NOT NULL,
  position bigint NOT NULL,
  -- Why it is a dead letter; NULL for one that ended well. Dead letters stay until they are redriven and end, also below the floor.
  dead_reason text,
  attempts integer NOT NULL DEFAULT 0,
  -- A dead letter that is handed out again: it is not finished, wherever the floor is.
  redriven boolean NOT NULL DEFAULT false,
  settled_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (stream, group_name, position)
) WITH (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 10000, autovacuum_vacuum_cost_delay = 0);
CREATE INDEX settled_event_dead ON keyline.settled_event (stream, group_name, position) WHERE dead_reason IS NOT NULL;

-- Fails where there is no such group: without its floor nobody can tell what is finished.
CREATE FUNCTION keyline.require_group(of_stream text, of_group text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  IF EXISTS (SELECT FROM keyline.consumer_group WHERE stream = of_stream AND name = of_group) THEN RETURN; END IF;
  RAISE EXCEPTION 'stream % has no consumer group %', of_stream, of_group USING ERRCODE = 'no_data_found';
END
$$;

-- Settles events: returns those that this transaction has settled, and its id. Of all transactions one settles each of them; one that comes
-- meanwhile waits at the index for this one's end. The transaction has its id before it looks at the floor: keyline.forget_settled
-- counts on that.
CREATE FUNCTION keyline.settle_events(
  of_stream text, of_group text, positions bigint[], may_be_redriven boolean, OUT owed bigint[], OUT xid text
) LANGUAGE plpgsql AS $$
DECLARE
  again bigint[];
BEGIN
  xid := pg_current_xact_id()::text;
  PERFORM keyline.require_group(of_stream, of_group);
  IF may_be_redriven THEN
    WITH ended AS (
      UPDATE keyline.settled_event SET dead_reason = NULL, redriven = false, settled_at = now()
      WHERE stream = of_stream AND group_name = of_group AND position = ANY (positions) AND redriven RETURNING position
    )
    SELECT array_agg(position) INTO again FROM ended;
  END IF;
  WITH ended AS (
    INSERT INTO keyline.settled_event (stream, group_name, position)
    SELECT of_stream, of_group, held FROM unnest(positions) AS held
    WHERE held > (SELECT floor FROM keyline.consumer_group WHERE stream = of_stream AND name = of_group)
    ON CONFLICT DO NOTHING RETURNING position
  )
  SELECT again || array_agg(position) INTO owed FROM ended;
END
$$;

-- Writes down a dead letter, unless the event is finished.
CREATE FUNCTION keyline.bury_event(of_stream text, of_group text, held bigint, reason text, failed integer) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  PERFORM pg_current_xact_id();
  PERFORM keyline.require_group(of_stream, of_group);
  UPDATE keyline.settled_event SET dead_reason = reason, attempts = failed, redriven = false, settled_at = now()
  WHERE stream = of_stream AND group_name = of_group AND position = held AND redriven;
  IF FOUND THEN RETURN; END IF;
  INSERT INTO keyline.settled_event (stream, group_name, position, dead_reason, attempts)
  SELECT of_stream, of_group, held, reason, failed
  WHERE held > (SELECT floor FROM keyline.consumer_group WHERE stream = of_stream AND name = of_group)
  ON CONFLICT DO NOTHING;
END
$$;

-- Forgets settled events below the floor, in two steps that are some time apart. A transaction that looked at an older floor goes by the rows
-- alone, so they must outlast it: what was below the committed floor at one time is deleted when every transaction that had an id
-- at that time has ended. To compare with the transaction that moved the floor would not do: one that began after it, and
-- looked before it committed, has a later id and has seen the older floor.
CREATE FUNCTION keyline.forget_settled(of_stream text, of_group text) RETURNS integer LANGUAGE plpgsql AS $$
DECLARE
  known keyline.consumer_group;
  forgotten integer := 0;
BEGIN
  SELECT * INTO known FROM keyline.consumer_group WHERE stream = of_stream AND name = of_group FOR UPDATE SKIP LOCKED;
  IF NOT FOUND OR known.forget_after > pg_snapshot_xmin(pg_current_snapshot()) THEN RETURN 0; END IF;
  DELETE FROM keyline.settled_event
  WHERE stream = of_stream AND group_name = of_group AND position <= known.forget_up_to AND dead_reason IS NULL;
  GET DIAGNOSTICS forgotten = ROW_COUNT;
  UPDATE keyline.consumer_group SET forget_up_to = known.floor, forget_after = pg_snapshot_xmax(pg_current_snapshot())
  WHERE stream = of_stream AND name = of_group AND forget_up_to < known.floor;
  RETURN forgotten;
END
$$;

-- Tables that are kept from a stream: each is as of `position`, an id on Valkey.
CREATE TABLE keyline.projection (
  stream text COLLATE "C" NOT NULL,
  name text COLLATE "C" NOT NULL,
  position text NOT NULL DEFAULT '0-0',
  entries bigint NOT NULL DEFAULT 0,
  updated_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (stream, name)
);
