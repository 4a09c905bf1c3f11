-- The note of a delivery may come late: the job may have died since, and have been redriven by a process that has not pushed it yet. So a redrive leaves a tag of its own, and a job that was
-- redriven is noted by whoever knows that.

CREATE FUNCTION keyline.note_delivered(of_queue text, to_epoch text, delivered_ids text, of_redrive text) RETURNS boolean
LANGUAGE plpgsql
SET enable_seqscan = off SET enable_bitmapscan = off SET plan_cache_mode = force_generic_plan
AS $$
BEGIN
  PERFORM FROM keyline.queue WHERE name = of_queue AND epoch = to_epoch FOR SHARE;
  IF NOT FOUND THEN RETURN false; END IF;
  UPDATE keyline.job SET delivered_to = to_epoch
    WHERE job.queue = of_queue AND job.id = ANY (string_to_array(delivered_ids, E'\x1f')) AND job.state IN ('waiting', 'scheduled')
      AND CASE WHEN job.parks IS NULL THEN job.delivered_to IS NULL END
      AND CASE WHEN job.retry_tag LIKE 'redriven:%' THEN job.retry_tag = of_redrive ELSE true END;
  RETURN true;
END
$$;

-- Processes of older versions note in this way.
CREATE OR REPLACE FUNCTION keyline.note_delivered(of_queue text, to_epoch text, delivered_ids text) RETURNS boolean
LANGUAGE sql
AS $$ SELECT keyline.note_delivered(of_queue, to_epoch, delivered_ids, NULL) $$;
