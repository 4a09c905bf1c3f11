-- Schedules of transactional queues, and which tick a job is.

CREATE TABLE keyline.schedule (
  queue text COLLATE "C" NOT NULL,
  name text COLLATE "C" NOT NULL,
  -- Another one with each declaration that changed something.
  revision text NOT NULL,
  spec json NOT NULL,
  data json NOT NULL,
  declared_at timestamptz NOT NULL,
  -- NULL: its last tick was made.
  next_at timestamptz,
  last_at timestamptz,
  ticks bigint NOT NULL DEFAULT 0,
  PRIMARY KEY (queue, name)
);

CREATE INDEX schedule_next ON keyline.schedule (queue, next_at) WHERE next_at IS NOT NULL;

-- {"name", "at"} of a tick; NULL for all other jobs.
ALTER TABLE keyline.job ADD COLUMN schedule json;
