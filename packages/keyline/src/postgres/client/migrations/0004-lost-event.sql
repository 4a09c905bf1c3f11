-- Events that retention dropped from the record before a consumer group had finished them: all of them ever, and those of which no
-- consumer was told yet.
ALTER TABLE keyline.consumer_group
  ADD COLUMN lost bigint NOT NULL DEFAULT 0,
  ADD COLUMN untold bigint NOT NULL DEFAULT 0,
  ADD COLUMN untold_from bigint,
  ADD COLUMN untold_to bigint;

-- Notes that a group lost so many events, from one to another.
CREATE FUNCTION keyline.note_lost_events(of_stream text, of_group text, events bigint, first bigint, last bigint) RETURNS void LANGUAGE sql
BEGIN ATOMIC
  UPDATE keyline.consumer_group SET
    lost = lost + events,
    untold = untold + events,
    untold_from = least(untold_from, first),
    untold_to = greatest(untold_to, last)
  WHERE stream = of_stream AND name = of_group;
END;

-- As before, and notes what groups lose by it: every event that the record does not know to be finished. A dead letter that was to be handed out
-- again is a dead letter as before when its event is gone. What goes with a whole week is counted before anything is locked,
-- and a call drops one week at the most.
CREATE OR REPLACE FUNCTION keyline.drop_expired_events(at_most integer) RETURNS boolean LANGUAGE plpgsql
SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET lock_timeout = '200ms' AS $$
DECLARE
  week record;
  dropped integer;
  is_shared boolean;
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
      is_shared := EXISTS (
        SELECT FROM keyline.stream WHERE keyline.is_expired(max_age, week.next) IS NOT TRUE AND EXISTS (
          SELECT FROM keyline.event WHERE event.stream = stream.name AND position >= week.first AND position < week.next
        )
      );
      IF NOT is_shared THEN
        PERFORM keyline.note_lost_events(behind.stream, behind.name, gone.events, gone.first, gone.last)
        FROM keyline.consumer_group AS behind
        JOIN keyline.stream AS expired ON expired.name = behind.stream AND keyline.is_expired(expired.max_age, week.next)
        CROSS JOIN LATERAL (
          SELECT count(*) AS events, min(event.position) AS first, max(event.position) AS last FROM keyline.event
          WHERE event.stream = behind.stream AND position > greatest(behind.floor, week.first - 1) AND position < week.next AND NOT EXISTS (
            SELECT FROM keyline.settled_event AS settled
            WHERE settled.stream = behind.stream AND settled.group_name = behind.name AND settled.position = event.position
          )
        ) AS gone
        WHERE gone.events > 0;
      END IF;
      UPDATE keyline.settled_event AS letter SET redriven = false
        FROM keyline.stream AS expired
        WHERE expired.name = letter.stream AND keyline.is_expired(expired.max_age, week.next)
          AND position >= week.first AND position < week.next AND dead_reason IS NOT NULL AND redriven;
      UPDATE keyline.stream SET dropped_position = newest.position
        FROM keyline.stream AS expired CROSS JOIN LATERAL (
          SELECT event.position FROM keyline.event
          WHERE event.stream = expired.name AND position >= week.first AND position < week.next ORDER BY position DESC LIMIT 1
        ) AS newest
        WHERE stream.name = expired.name AND keyline.is_expired(expired.max_age, week.next) AND stream.dropped_position < newest.position;
      IF is_shared THEN
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
        PERFORM keyline.note_lost_events(behind.stream, behind.name, count(*), min(event.position), max(event.position))
          FROM unnest(streams, positions) AS event (stream, position)
          JOIN keyline.consumer_group AS behind ON behind.stream = event.stream AND behind.floor < event.position
          WHERE NOT EXISTS (
            SELECT FROM keyline.settled_event AS settled
            WHERE settled.stream = behind.stream AND settled.group_name = behind.name AND settled.position = event.position
          )
          GROUP BY behind.stream, behind.name;
        IF dropped = at_most THEN RETURN true; END IF;
      ELSE
        EXECUTE format('DROP TABLE keyline.%I', week.name);
        -- Nothing is to be counted while the stream is locked.
        RETURN true;
      END IF;
    EXCEPTION WHEN lock_not_available THEN
      is_more := NULL;
    END;
  END LOOP;
  RETURN is_more;
END
$$;
