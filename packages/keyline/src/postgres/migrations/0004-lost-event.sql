-- Events that retention dropped from the record before a consumer group had finished them: all of them ever, and those of which no
-- consumer was told yet.
ALTER TABLE keyline.consumer_group
  ADD COLUMN lost bigint NOT NULL DEFAULT 0,
  ADD COLUMN untold bigint NOT NULL DEFAULT 0,
  ADD COLUMN untold_from bigint,
  ADD COLUMN untold_to bigint;

-- Notes of dropped events for the groups that had not finished them.
CREATE FUNCTION keyline.note_lost_events(streams text[], positions bigint[]) RETURNS void LANGUAGE sql
BEGIN ATOMIC
  UPDATE keyline.consumer_group AS behind SET
    lost = lost + gone.events,
    untold = untold + gone.events,
    untold_from = least(untold_from, gone.first),
    untold_to = greatest(untold_to, gone.last)
  FROM (
    SELECT owner.stream, owner.name, count(*) AS events, min(event.position) AS first, max(event.position) AS last
    FROM unnest(streams, positions) AS event (stream, position)
    JOIN keyline.consumer_group AS owner ON owner.stream = event.stream AND owner.floor < event.position
    WHERE NOT EXISTS (
      SELECT FROM keyline.settled_event AS settled
      WHERE settled.stream = owner.stream AND settled.group_name = owner.name AND settled.position = event.position
    )
    GROUP BY owner.stream, owner.name
  ) AS gone
  WHERE behind.stream = gone.stream AND behind.name = gone.name;
END;

-- As before, and notes what groups lose by it.
CREATE OR REPLACE FUNCTION keyline.drop_expired_events(at_most integer) RETURNS boolean LANGUAGE plpgsql
SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET lock_timeout = '200ms' AS $$
DECLARE
  week record;
  dropped integer;
  streams text[];
  positions bigint[];
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
        WITH gone AS (
          DELETE FROM keyline.event WHERE (stream, position) IN (
            SELECT old.stream, old.position FROM keyline.stream AS expired CROSS JOIN LATERAL (
              SELECT event.stream, event.position FROM keyline.event
              WHERE event.stream = expired.name AND position >= week.first AND position < week.next LIMIT at_most
            ) AS old
            WHERE keyline.is_expired(expired.max_age, week.next) LIMIT at_most
          ) AND position >= week.first AND position < week.next
          RETURNING stream, position
        )
        SELECT count(*), array_agg(stream), array_agg(position) INTO dropped, streams, positions FROM gone;
        PERFORM keyline.note_lost_events(streams, positions);
        IF dropped = at_most THEN RETURN true; END IF;
      ELSE
        SELECT array_agg(event.stream), array_agg(event.position) INTO streams, positions FROM keyline.event
          WHERE position >= week.first AND position < week.next AND EXISTS (
            SELECT FROM keyline.consumer_group AS behind WHERE behind.stream = event.stream AND behind.floor < event.position
          );
        PERFORM keyline.note_lost_events(streams, positions);
        EXECUTE format('DROP TABLE keyline.%I', week.name);
      END IF;
    EXCEPTION WHEN lock_not_available THEN
      is_more := NULL;
    END;
  END LOOP;
  RETURN is_more;
END
$$;
