-- Callers choose ids, and may choose one again while an older family still knows it: what a child settles with is for the parent that its end was told in this transaction, and for no other one.

-- As before, in the rows that the end of these jobs has written (keyline.end_family).
CREATE OR REPLACE FUNCTION keyline.keep_for_parents(of_queue text, ids text[], result_values json[]) RETURNS void
LANGUAGE sql
SET enable_seqscan = off SET enable_bitmapscan = off SET plan_cache_mode = force_generic_plan
AS $$
  UPDATE keyline.family_child SET value = kept.value FROM unnest(ids, result_values) AS kept (id, value)
    WHERE family_child.queue = of_queue AND family_child.id = kept.id AND family_child.outcome = 'completed'
      AND family_child.xmin::text = (pg_current_xact_id()::text::numeric % 4294967296)::text;
$$;
