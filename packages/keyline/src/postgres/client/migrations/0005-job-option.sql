-- Which jobs go first, and which come one after the other.
ALTER TABLE keyline.job
  ADD COLUMN priority text CHECK (priority IN ('high', 'low')),
  ADD COLUMN group_name text COLLATE "C";

-- Whether a job of a group is the first of those that are not settled.
CREATE INDEX job_group ON keyline.job (queue, group_name, seq) WHERE group_name IS NOT NULL AND state IN ('waiting', 'scheduled');

-- What keeps a queue's jobs from being taken: limits and pauses as Valkey has them too. A revision with each change, so that Valkey never goes back.
ALTER TABLE keyline.queue
  ADD COLUMN gates jsonb NOT NULL DEFAULT '{}',
  ADD COLUMN paused_groups text[] NOT NULL DEFAULT '{}',
  ADD COLUMN gates_revision bigint NOT NULL DEFAULT 0;
