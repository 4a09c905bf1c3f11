import { afterAll, beforeAll, expect, test } from "vitest";
import { eventually, openStage, type Stage } from "../../support/stage.ts";

let stage: Stage;
beforeAll(async () => {
  stage = await openStage();
  await stage.keyline().migrate();
});
afterAll(() => stage.close());

const children = (ids: readonly string[]): unknown[] => [
  ids.map(() => "children"),
  ids,
  ids.map(() => "1"),
  ids.map(() => "parents"),
  ids.map(() => "parent"),
];

test("a parent that has said that its children may die, and has added one, is not killed by who has looked for the dead before that", async () => {
  const { pool } = stage;
  const add = `SELECT answer FROM keyline.add_family('parents', 'parent', '{}', NULL, NULL, NULL, 'die', $1, $2, $3, NULL, NULL, NULL, NULL, NULL, NULL, NULL, $4, $5, NULL)`;
  await pool.query(add, children(["dies", "lives"]));
  const [handler, asks] = [await pool.connect(), await pool.connect()];
  const { rows } = await pool.query<{ id: string }>("SELECT id FROM keyline.family");
  const family = rows[0]?.id;
  await pool.query("UPDATE keyline.job SET state = 'dead', died_at = now(), last_error = 'it failed' WHERE id = 'dies'");
  await pool.query("SELECT keyline.end_special('children', ARRAY['dies'], 'dead')");

  // The parent runs, as is read before; then who asks comes to a stop.
  await pool.query("UPDATE keyline.job SET parked = NULL, state = 'waiting' WHERE id = 'parent'");
  await pool.query("ALTER FUNCTION keyline.first_dead_child(bigint) RENAME TO first_dead_child_now");
  await pool.query(`CREATE FUNCTION keyline.first_dead_child(of_family bigint) RETURNS TABLE (number integer, name text) LANGUAGE plpgsql AS $$
    BEGIN
      RETURN QUERY SELECT * FROM keyline.first_dead_child_now(of_family);
      PERFORM pg_advisory_lock(7);
      PERFORM pg_advisory_unlock(7);
    END $$`);
  await handler.query("SELECT pg_advisory_lock(7)");
  const asked = asks.query<{ answer: string | null }>("SELECT answer FROM keyline.release_family($1)", [family]);
  const waits = "SELECT FROM pg_stat_activity WHERE wait_event = 'advisory' AND query LIKE '%release_family(%'";
  await eventually("it has come to a stop", async () => (await pool.query(waits)).rowCount === 1);
  const addTo = `SELECT answer FROM keyline.add_to_family('parents', 'parent', 0, 9, 'ignore', $1, $2, $3, NULL, NULL, NULL, NULL, NULL, NULL, NULL, $4, $5, NULL)`;
  expect((await handler.query(addTo, children(["late"]))).rows).toEqual([{ answer: "added" }]);
  expect((await handler.query("SELECT answer FROM keyline.await_children('parents', 'parent', 0, 9, 'tag')")).rows).toEqual([
    { answer: "parked" },
  ]);
  await handler.query("SELECT pg_advisory_unlock(7)");
  expect((await asked).rows).toEqual([{ answer: null }]);
  const { rows: parents } = await pool.query("SELECT state, parked FROM keyline.job WHERE id = 'parent'");
  expect(parents).toEqual([{ state: "scheduled", parked: "children" }]);

  for (const id of ["lives", "late"]) await pool.query("SELECT keyline.settle_job('children', $1, 0)", [id]);
  expect((await pool.query("SELECT answer FROM keyline.release_family($1)", [family])).rows).toEqual([{ answer: "woken" }]);
  for (const client of [handler, asks]) client.release();
});
