-- Consumer groups that are set to another place.

-- How often. Whoever moves the floor says which of them it knows, so that what was finished before a reset is not taken for finished behind it.
ALTER TABLE keyline.consumer_group ADD COLUMN resets integer NOT NULL DEFAULT 0;

-- Everything up to the floor is finished, and nothing behind it: neither what was settled nor what had died. What was to be handed out again is a dead letter again.
CREATE FUNCTION keyline.reset_group(of_stream text, of_group text, new_floor bigint) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO keyline.consumer_group AS known (stream, name, floor, resets) VALUES (of_stream, of_group, new_floor, 1)
    ON CONFLICT (stream, name) DO UPDATE SET floor = new_floor, forget_up_to = least(known.forget_up_to, new_floor), resets = known.resets + 1;
  DELETE FROM keyline.settled_event WHERE stream = of_stream AND group_name = of_group AND position > new_floor;
  -- Nobody has them under way any more.
  UPDATE keyline.settled_event SET redriven = false WHERE stream = of_stream AND group_name = of_group AND redriven;
END
$$;
