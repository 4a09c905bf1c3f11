-- Schedules that are paused. While one is, next_at is NULL, so that nobody makes its ticks, whatever version of the library, and waiting_at has the tick that waits.

ALTER TABLE keyline.schedule
  ADD COLUMN paused boolean NOT NULL DEFAULT false,
  ADD COLUMN waiting_at timestamptz;
