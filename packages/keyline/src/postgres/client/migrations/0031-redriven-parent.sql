-- A parent that its child's death has killed, and that is redriven, goes on: what it was told stays as it was, and does not kill it once more.

-- As before; and of a parent that is dead now the deaths that are known are spent, once they say why.
CREATE OR REPLACE FUNCTION keyline.end_family(of_queue text, ended_ids text[], how text) RETURNS void
LANGUAGE plpgsql
SET enable_seqscan = off SET enable_bitmapscan = off SET plan_cache_mode = force_generic_plan
AS $$
BEGIN
  IF how = 'dead' THEN
    WITH died AS (
      UPDATE keyline.family_child SET outcome = 'dead'
        WHERE family_child.queue = of_queue AND family_child.id = ANY (ended_ids) AND family_child.outcome IS NULL
        RETURNING family_child.family, family_child.number
    )
    INSERT INTO keyline.family_death SELECT died.family, died.number FROM died;
    WITH spent AS (
      DELETE FROM keyline.family_death AS death USING keyline.family
        WHERE family.queue = of_queue AND family.job_id = ANY (ended_ids) AND family.ended IS NULL AND death.family = family.id
        RETURNING death.family, death.number
    )
    UPDATE keyline.family_child AS child SET reason = letter.last_error FROM spent, keyline.job AS letter
      WHERE child.family = spent.family AND child.number = spent.number AND child.reason IS NULL
        AND letter.queue = child.queue AND letter.id = child.id AND letter.state = 'dead';
    RETURN;
  END IF;
  -- settle_children writes outcome and value at once.
  IF how <> 'removed' AND coalesce(current_setting('keyline.ends_children', true), '') <> 'on' THEN
    UPDATE keyline.family_child SET outcome = how
      WHERE family_child.queue = of_queue AND family_child.id = ANY (ended_ids) AND family_child.outcome IS NULL;
  END IF;
  UPDATE keyline.family SET ended = how WHERE family.queue = of_queue AND family.job_id = ANY (ended_ids) AND family.ended IS NULL;
END
$$;
