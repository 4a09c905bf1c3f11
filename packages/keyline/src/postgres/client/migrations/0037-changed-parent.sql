-- An attempt with data from before its job was updated does not wait for children either, as it ends nothing (0036): it says which attempt it is, as keyline.is_held takes it.
DROP FUNCTION keyline.await_children(text, text, integer, integer, text);
CREATE FUNCTION keyline.await_children(of_queue text, held_id text, held_attempts bigint, held_parks integer, tag text, OUT answer text)
LANGUAGE plpgsql
SET enable_seqscan = off SET enable_bitmapscan = off SET plan_cache_mode = force_generic_plan
AS $$
DECLARE
  job record;
  parent record;
BEGIN
  SELECT held.parks INTO job FROM keyline.job AS held
    WHERE held.queue = of_queue AND held.id = held_id AND keyline.is_held(held.attempts, held.is_changed, held.changed_in, held_attempts) AND held.state IN ('waiting', 'scheduled')
      AND (coalesce(held.parks, 0) <= held_parks OR (held.parks = held_parks + 1 AND held.retry_tag = tag))
    FOR NO KEY UPDATE;
  IF NOT FOUND THEN
    answer := 'lost';
    RETURN;
  END IF;
  SELECT family.id, family.on_child_dead INTO parent FROM keyline.family
    WHERE family.queue = of_queue AND family.job_id = held_id AND family.ended IS NULL;
  IF NOT FOUND OR NOT keyline.has_open_child(parent.id) THEN
    UPDATE keyline.job AS held SET parked = NULL, parked_for = NULL
      WHERE held.queue = of_queue AND held.id = held_id AND held.parked IS NOT NULL;
    answer := CASE WHEN parent.on_child_dead = 'die' AND EXISTS (SELECT FROM keyline.family_death AS death WHERE death.family = parent.id)
      THEN 'dead' ELSE 'done' END;
    RETURN;
  END IF;
  answer := 'parked';
  IF coalesce(job.parks, 0) <= held_parks THEN
    UPDATE keyline.job AS held SET state = 'scheduled', due_at = NULL, parked = 'children', parked_for = NULL,
        parks = held_parks + 1, delivered_to = NULL, retry_tag = tag, is_special = true
      WHERE held.queue = of_queue AND held.id = held_id;
  END IF;
END
$$;

-- As before; and what the death of a child does is read behind the lock: the parent may have said otherwise meanwhile.
CREATE OR REPLACE FUNCTION keyline.release_family(of_family bigint, OUT of_queue text, OUT of_id text, OUT answer text)
LANGUAGE plpgsql
SET enable_seqscan = off SET enable_bitmapscan = off SET plan_cache_mode = force_generic_plan
AS $$
DECLARE
  parent record;
  on_child_dead text;
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
  -- Whoever held the lock may have added some, and said that they may die.
  SELECT family.on_child_dead INTO on_child_dead FROM keyline.family WHERE family.id = of_family;
  IF on_child_dead <> 'die' THEN dead_number := NULL; END IF;
  IF dead_number IS NULL THEN
    IF keyline.has_open_child(of_family) THEN RETURN; END IF;
    -- One may have died behind the first look at the dead and before that at the open ones. Now all have ended, and who died is known.
    IF on_child_dead = 'die' THEN
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
