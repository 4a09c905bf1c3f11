-- Results of jobs that are kept for who waits for them.

ALTER TABLE keyline.job
  -- For how many milliseconds its result is kept; 0 for not at all, NULL where that is left to its queue.
  ADD COLUMN keep_result bigint;

ALTER TABLE keyline.outcome
  -- The worker whose handler may still return the result: it settled without one, and has not come back.
  ADD COLUMN open_in text;

-- Writes down results of jobs that end in this transaction. Values and times are by the place of their ids.
CREATE FUNCTION keyline.keep_results(of_queue text, ids text[], result_values json[], keeps bigint[], open_in text) RETURNS void
LANGUAGE sql
AS $$
  INSERT INTO keyline.outcome (queue, id, outcome, value, ended_at, until, open_in)
    SELECT of_queue, kept.id, 'completed', kept.value, now(), now() + kept.keep * interval '1 millisecond', keep_results.open_in
    FROM unnest(ids, result_values, keeps) AS kept (id, value, keep)
  ON CONFLICT (queue, id) DO UPDATE SET outcome = excluded.outcome, value = excluded.value, ended_at = excluded.ended_at,
    until = excluded.until, open_in = excluded.open_in;
$$;

-- As settle_jobs, where results of some of the jobs are kept.
CREATE FUNCTION keyline.settle_kept(
  of_queue text, held_ids text, held_attempts text, kept_ids text[], result_values json[], keeps bigint[],
  OUT settled integer, OUT missing text, OUT xid text
)
LANGUAGE plpgsql
AS $$
DECLARE
  gone text[];
BEGIN
  SELECT done.settled, done.missing INTO settled, missing FROM keyline.settle_jobs(of_queue, held_ids, held_attempts) AS done;
  gone := string_to_array(missing, E'\x1f');
  PERFORM keyline.keep_results(of_queue, array_agg(kept.id), array_agg(kept.value), array_agg(kept.keep), NULL)
    FROM unnest(kept_ids, result_values, keeps) AS kept (id, value, keep)
    WHERE gone IS NULL OR kept.id <> ALL (gone) HAVING count(*) > 0;
  xid := pg_current_xact_id_if_assigned()::text;
END
$$;

-- As before, and for how long results are kept.
CREATE FUNCTION keyline.add_once(
  of_queue text, ids text[], datas text[], most_attempts integer[], delays float8[], run_ats float8[], priorities text[], groups text[],
  own_ids boolean[], keys text[], windows float8[], keeps text[], keep_results bigint[]
) RETURNS TABLE (place bigint, there text, added boolean, in_order text, sooner json)
LANGUAGE plpgsql
AS $$
#variable_conflict use_column
BEGIN
  FOR place, there, added, in_order, sooner IN
    SELECT once.place, once.there, once.added, once.in_order, once.sooner
    FROM keyline.add_once(of_queue, ids, datas, most_attempts, delays, run_ats, priorities, groups, own_ids, keys, windows, keeps) AS once
  LOOP
    IF added AND keep_results[place] IS NOT NULL THEN
      UPDATE keyline.job SET keep_result = keep_results[add_once.place] WHERE queue = of_queue AND id = add_once.there;
    ELSIF sooner IS NOT NULL THEN
      SELECT (add_once.sooner::jsonb || jsonb_build_object('keep', job.keep_result))::json INTO sooner
        FROM keyline.job WHERE job.queue = of_queue AND job.id = add_once.there;
    END IF;
    RETURN NEXT;
  END LOOP;
END
$$;
