import { setTimeout as sleep } from "node:timers/promises";
import { Discard } from "keyline";
import { afterAll, beforeAll, expect, test } from "vitest";
import { openStage, type Stage } from "../../support/stage.ts";

let stage: Stage;
beforeAll(async () => {
  stage = await openStage();
  await stage.keyline().migrate();
});
afterAll(() => stage.close());

/** Who asks whether all children have ended has looked for the dead ones a while before, as on a server that has much to do. */
async function lookLate(): Promise<void> {
  await stage.pool.query("ALTER FUNCTION keyline.has_open_child(bigint) RENAME TO has_open_child_now");
  await stage.pool.query(`CREATE FUNCTION keyline.has_open_child(of_family bigint) RETURNS boolean LANGUAGE plpgsql AS $$
    BEGIN
      PERFORM pg_sleep(0.005);
      RETURN keyline.has_open_child_now(of_family);
    END $$`);
}

test("a parent never runs whose child dies while somebody asks whether all have ended", async () => {
  await lookLate();
  const keyline = stage.keyline();
  const parents = keyline.queue<string>("parents", { transactional: true });
  const children = keyline.queue<string>("children", { transactional: true });
  const added = await Promise.all(
    Array.from({ length: 40 }, (_, index) =>
      parents.add(`parent ${index}`, { children: ["well", "dies"].map((data) => ({ queue: children, data })) }),
    ),
  );
  const ran: string[] = [];
  const worker = parents.work(({ data }) => void ran.push(data));
  const childWorker = children.work(async ({ data }) => {
    if (data === "well") return;
    await sleep(Math.random() * 10);
    throw new Discard("too bad");
  });
  const ends = await Promise.all(
    added.map(({ id }) =>
      parents.waitFor(id).then(
        () => "completed",
        (error: unknown) => (error as { readonly code?: string }).code,
      ),
    ),
  );
  await Promise.all([worker.stop(), childWorker.stop()]);
  expect(ran).toEqual([]);
  expect([...new Set(ends)]).toEqual(["JOB_DEAD"]);
  expect((await parents.counts()).dead).toBe(added.length);
});
