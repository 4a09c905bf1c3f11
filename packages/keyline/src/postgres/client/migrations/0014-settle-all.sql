-- Ends these jobs, or fails: for a transaction that is sent as a whole, so that nobody can look in between which of them were there.

CREATE FUNCTION keyline.settle_all(of_queue text, held_ids text, held_attempts text) RETURNS text
LANGUAGE plpgsql
AS $$
DECLARE
  ended record;
BEGIN
  SELECT * INTO ended FROM keyline.settle_jobs(of_queue, held_ids, held_attempts);
  IF ended.missing IS NOT NULL THEN
    RAISE EXCEPTION USING ERRCODE = 'KL001', MESSAGE = 'Some of these jobs were settled before, or are not this worker''s: nothing is written for them';
  END IF;
  RETURN ended.xid;
END
$$;
