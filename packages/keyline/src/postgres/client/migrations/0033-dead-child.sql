-- A parent whose last child dies at the moment when it is asked for dies of that, and is not woken.

-- Of the children that have died the first one.
CREATE FUNCTION keyline.first_dead_child(of_family bigint) RETURNS TABLE (number integer, name text)
LANGUAGE sql STABLE
AS $$
  SELECT child.number, format('%s of queue %s', child.id, child.queue)
    FROM keyline.family_death AS death JOIN keyline.family_child AS child ON child.family = death.family AND child.number = death.number
    WHERE death.family = of_family ORDER BY death.number LIMIT 1
$$;

-- As before; and who is dead is looked for once more, behind the look at who is open: each of the two sees what is committed by then.
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
    SELECT dead.number, dead.name INTO dead_number, dead_name FROM keyline.first_dead_child(of_family) AS dead;
  END IF;
  IF dead_number IS NULL AND keyline.has_open_child(of_family) THEN RETURN; END IF;

  SELECT job.is_special INTO special FROM keyline.job
    WHERE job.queue = of_queue AND job.id = of_id AND job.state = 'scheduled' AND job.parked = 'children' FOR NO KEY UPDATE;
  IF NOT FOUND THEN RETURN; END IF;
  IF dead_number IS NULL THEN
    -- Whoever held the lock may have added some.
    IF keyline.has_open_child(of_family) THEN RETURN; END IF;
    -- One may have died behind the first look at the dead and before that at the open ones. Now all have ended, and who died is known.
    IF parent.on_child_dead = 'die' THEN
      SELECT dead.number, dead.name INTO dead_number, dead_name FROM keyline.first_dead_child(of_family) AS dead;
    END IF;
  END IF;
  UPDATE keyline.family_child AS child SET reason = letter.last_error
    FROM keyline.family_death AS death, keyline.job AS letter
    WHERE death.family = of_family AND child.family = of_family AND child.number = death.number AND child.reason IS NULL
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
