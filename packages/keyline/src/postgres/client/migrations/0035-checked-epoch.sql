-- A worker that Valkey has forgotten may be given jobs of the new memory, and die before it has a lease there: nobody knows of its list. So the deliveries to a new memory are
-- checked once, when all workers that live have leases there (postgres/job/delivery-check.ts).

ALTER TABLE keyline.queue
  -- The last epoch whose deliveries were checked.
  ADD COLUMN checked_epoch text NOT NULL DEFAULT '';
