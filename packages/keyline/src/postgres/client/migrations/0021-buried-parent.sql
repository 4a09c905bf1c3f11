-- A parent that its child's death kills was in no worker's hands: its row says why in its history too, and those who wait, follow and count are told by a process that has its queue.

ALTER TABLE keyline.family
  -- Its parent was buried, and nobody has told that yet.
  ADD COLUMN is_untold boolean;

CREATE INDEX family_untold ON keyline.family (id) WHERE is_untold;

-- As before, and the death is written into the history and noted as untold.
CREATE OR REPLACE FUNCTION keyline.release_family(of_family bigint, OUT of_queue text, OUT of_id text, OUT answer text)
LANGUAGE plpgsql
SET enable_seqscan = off SET enable_bitmapscan = off SET plan_cache_mode = force_generic_plan
AS $$
DECLARE
  parent record;
  dead_number integer;
  dead_name text;
  special boolean;
  why text;
BEGIN
  SELECT family.queue, family.job_id, family.on_child_dead INTO parent FROM keyline.family WHERE family.id = of_family AND family.ended IS NULL;
  IF NOT FOUND THEN RETURN; END IF;
  of_queue := parent.queue;
  of_id := parent.job_id;
  IF parent.on_child_dead = 'die' THEN
    SELECT child.number, format('%s of queue %s', child.id, child.queue) INTO dead_number, dead_name FROM keyline.family_child AS child
      WHERE child.family = of_family AND child.outcome = 'dead' ORDER BY child.number LIMIT 1;
  END IF;
  IF dead_number IS NULL AND keyline.has_open_child(of_family) THEN RETURN; END IF;

  SELECT job.is_special INTO special FROM keyline.job
    WHERE job.queue = of_queue AND job.id = of_id AND job.state = 'scheduled' AND job.parked = 'children' FOR NO KEY UPDATE;
  IF NOT FOUND THEN RETURN; END IF;
  -- Whoever held the lock may have added some.
  IF dead_number IS NULL AND keyline.has_open_child(of_family) THEN RETURN; END IF;
  UPDATE keyline.family_child AS child SET reason = letter.last_error
    FROM keyline.job AS letter
    WHERE child.family = of_family AND child.outcome = 'dead' AND child.reason IS NULL
      AND letter.queue = child.queue AND letter.id = child.id AND letter.state = 'dead';
  IF dead_number IS NOT NULL THEN
    why := left(format('Its child %s is dead: %s', dead_name,
      (SELECT child.reason FROM keyline.family_child AS child WHERE child.family = of_family AND child.number = dead_number)), 10000);
    UPDATE keyline.job SET state = 'dead', parked = NULL, parked_for = NULL, due_at = NULL, died_at = now(), parks = coalesce(parks, 0) + 1, last_error = why,
        history = keyline.with_failure(history, NULL, 0,
          json_build_object('at', floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint, 'error', left(why, 500)))
      WHERE job.queue = of_queue AND job.id = of_id;
    PERFORM keyline.end_special(of_queue, ARRAY[of_id], 'dead');
    UPDATE keyline.family SET is_untold = true WHERE family.id = of_family;
    answer := 'dead';
    RETURN;
  END IF;
  UPDATE keyline.job SET due_at = now(), parked = NULL, parked_for = NULL, parks = coalesce(parks, 0) + 1, delivered_to = NULL
    WHERE job.queue = of_queue AND job.id = of_id;
  answer := 'woken';
END
$$;
