-- What operators did: who, what, to which, and how many it came to. Written before an act begins, finished when it has ended.

CREATE TABLE keyline.audit (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  at timestamptz NOT NULL DEFAULT clock_timestamp(),
  who text NOT NULL,
  action text NOT NULL,
  target text NOT NULL,
  details json,
  count bigint,
  error text,
  finished_at timestamptz
);

CREATE INDEX audit_of_target ON keyline.audit (target, id);
