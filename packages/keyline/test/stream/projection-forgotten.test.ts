import { afterAll, beforeAll, expect, test } from "vitest";
import { openStage, type Stage } from "../support/stage.ts";

let stage: Stage;
beforeAll(async () => {
  stage = await openStage();
  await stage.keyline().migrate();
});
afterAll(() => stage.close());

test("a session that forgets prepared statements, as behind a pooler, costs a projection no page and no error", async () => {
  const stream = stage.keyline().stream<number>("forgotten");
  const count = 500;
  await stream.appendMany(Array.from({ length: count }, (_, n) => n));
  // No unique key: it would hide an entry that took effect twice.
  await stage.pool.query("CREATE TABLE forgotten (n integer, place bigserial)");
  const errors: Error[] = [];
  let pages = 0;
  const projection = stream.project(
    "forgotten",
    async (tx, entries) => {
      await tx.query("INSERT INTO forgotten (n) SELECT unnest($1::integer[])", [entries.map(({ data }) => data)]);
      // By then all of its statements have names there.
      if (++pages === 5) await tx.query("DEALLOCATE ALL");
    },
    { size: 50 },
  );
  projection.on("error", (error) => errors.push(error));
  await projection.caughtUp();
  await projection.stop();
  const { rows } = await stage.pool.query<{ n: number }>("SELECT n FROM forgotten ORDER BY place");
  expect(rows.map(({ n }) => n)).toEqual(Array.from({ length: count }, (_, n) => n));
  expect(errors).toEqual([]);
  // That page was written again.
  expect(pages).toBe(11);
});
