-- Messages that wait for their publication: the outbox. A row goes once it was published.

CREATE TABLE keyline.message (
  -- The order of writing, which is not the order of commits.
  seq bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  -- Given when the row was first seen committed, and growing: Valkey remembers, for each channel and outbox, the last one that it
  -- published. It begins with the time, so that a database that was set back gives no number a second time.
  number bigint,
  numbered_at timestamptz,
  channel text COLLATE "C" NOT NULL,
  id text COLLATE "C" NOT NULL,
  data text NOT NULL,
  added_at timestamptz NOT NULL DEFAULT now(),
  -- What the channel's history keeps; NULL without one. Whoever publishes the row may not know the channel.
  history_size integer,
  history_ttl bigint
) WITH (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 10000, autovacuum_vacuum_cost_delay = 0);

CREATE INDEX message_new ON keyline.message (seq) WHERE number IS NULL;
CREATE INDEX message_numbered ON keyline.message (number) WHERE number IS NOT NULL;

-- One row: the name of this outbox, and the last number that was given. Its lock makes the numbers grow in the order of commits.
CREATE TABLE keyline.outbox (name text NOT NULL, last_number bigint NOT NULL);
INSERT INTO keyline.outbox VALUES (replace(gen_random_uuid()::text, '-', ''), 0);

-- Numbers what is new, and returns what this caller is to publish, in order: what it numbered, with everything of the same channels that stands
-- before it, and what was numbered more than `patience` ago, whose publisher may be gone; but nothing of the channels `but`, a page of each
-- channel, and not too much at once. Two callers may so be given the same message, and none a later one of a channel without the earlier:
-- who comes second is refused by Valkey.
CREATE FUNCTION keyline.take_messages(at_most integer, patience interval, but text[])
RETURNS TABLE (
  seq bigint, outbox text, number bigint, channel text, id text, data text, at float8, history_size integer, history_ttl bigint
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
    SELECT due.seq, due.outbox, due.number, due.channel, due.id, due.data, due.at, due.history_size, due.history_ttl
    FROM (
      SELECT message.seq, outbox.name AS outbox, message.number, message.channel, message.id, message.data,
        floor(extract(epoch FROM message.added_at) * 1000)::float8 AS at, message.history_size, message.history_ttl,
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
