-- Adds jobs within a transaction of the caller's, on whose connection nothing may be prepared. Here the plan of the statement is kept, which takes longer to make than to follow.

CREATE FUNCTION keyline.add_jobs(of_queue text, ids text[], datas text[], most_attempts integer[]) RETURNS TABLE (added text, xid text)
LANGUAGE plpgsql
AS $$
BEGIN
  RETURN QUERY INSERT INTO keyline.job (queue, id, data, max_attempts)
    SELECT of_queue, new.id, new.data::json, new.max_attempts FROM unnest(ids, datas, most_attempts) AS new (id, data, max_attempts)
    ON CONFLICT (queue, id) DO NOTHING RETURNING job.id, pg_current_xact_id()::text;
END
$$;
