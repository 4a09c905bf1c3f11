-- Children that end without effects, many at a time: who ends them is told whose they are, and asks for those families without a look at each child.

-- As settle_children, where no result is kept for others. Lists are one text each, as in settle_jobs; a value is JSON, or nothing. Without `child_ids` all of them are children.
CREATE FUNCTION keyline.end_children(
  of_queue text, held_ids text, held_attempts text, child_ids text, child_values text,
  OUT settled integer, OUT missing text, OUT xid text, OUT families text
)
LANGUAGE plpgsql
SET enable_seqscan = off SET enable_bitmapscan = off SET plan_cache_mode = force_generic_plan
AS $$
DECLARE
  gone text[];
BEGIN
  PERFORM set_config('keyline.ends_children', 'on', true);
  SELECT done.settled, done.missing, done.xid INTO settled, missing, xid FROM keyline.settle_jobs(of_queue, held_ids, held_attempts) AS done;
  PERFORM set_config('keyline.ends_children', 'off', true);
  gone := string_to_array(missing, E'\x1f');
  WITH ended AS (
    UPDATE keyline.family_child AS child SET outcome = 'completed', value = kept.value::json
      FROM unnest(string_to_array(coalesce(child_ids, held_ids), E'\x1f'), string_to_array(child_values, E'\x1f', '')) AS kept (id, value)
      WHERE child.queue = of_queue AND child.id = kept.id AND child.outcome IS NULL AND (gone IS NULL OR kept.id <> ALL (gone))
      RETURNING child.family
  )
  SELECT string_agg(DISTINCT ended.family::text, ',') INTO families FROM ended;
END
$$;

-- As release_parents, of families that are known.
CREATE FUNCTION keyline.release_families(families bigint[]) RETURNS TABLE (queue text, id text, answer text)
LANGUAGE plpgsql
AS $$
#variable_conflict use_column
DECLARE
  one bigint;
BEGIN
  -- In one order, so that two calls never wait for each other.
  FOR one IN SELECT known.family FROM unnest(families) AS known (family) ORDER BY known.family LOOP
    RETURN QUERY SELECT released.of_queue, released.of_id, released.answer FROM keyline.release_family(one) AS released WHERE released.answer IS NOT NULL;
  END LOOP;
END
$$;
