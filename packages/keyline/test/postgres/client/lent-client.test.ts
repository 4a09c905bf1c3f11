import type { Transaction } from "keyline";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { eventually, openStage, type Stage } from "../../support/stage.ts";

let stage: Stage;

beforeAll(async () => {
  stage = await openStage();
  await stage.keyline().migrate();
});

beforeEach(() => stage.pool.query("DROP TABLE IF EXISTS written; CREATE TABLE written (n integer)"));

afterAll(() => stage.close());

const written = async (): Promise<number[]> =>
  (await stage.pool.query<{ n: number }>("SELECT n FROM written ORDER BY n")).rows.map(({ n }) => n);

/** Three branches of which the first fails at once, while the others are between two statements. */
function branches(tx: Transaction, late: unknown[]): Promise<unknown> {
  return Promise.all(
    [0, 1, 2].map(async (n) => {
      if (n === 0) throw new Error("boom");
      await tx.query("SELECT 1");
      await new Promise((resolve) => setTimeout(resolve, 50));
      await tx.query("INSERT INTO written VALUES ($1)", [n]).catch((error: unknown) => late.push(error));
    }),
  );
}

test("what goes on after its transaction has failed writes nothing", async () => {
  const late: unknown[] = [];
  await expect(stage.keyline().transaction(async (tx) => void (await branches(tx, late)))).rejects.toThrow("boom");
  await eventually("the other branches went on", () => late.length === 2);
  expect(late).toEqual([expect.objectContaining({ code: "NOT_IN_TRANSACTION" }), expect.objectContaining({ code: "NOT_IN_TRANSACTION" })]);
  expect(await written()).toEqual([]);
});

test("nor does it in the effects of a job, whose next attempt writes each once", async () => {
  const queue = stage.keyline().queue<number>("effects", { transactional: true, backoff: { type: "fixed", delay: 10 } });
  const late: unknown[] = [];
  const worker = queue.work(async (job, { settle }) => {
    await settle(async (tx) => {
      if (job.attempt === 1) await branches(tx, late);
      await tx.query("INSERT INTO written VALUES (1), (2)");
    });
  });
  const completed = new Promise<void>((resolve) => worker.on("completed", () => resolve()));
  await queue.add(1);
  await completed;
  await eventually("the other branches went on", () => late.length === 2);
  expect(await written()).toEqual([1, 2]);
  await worker.stop();
});

test("nor does it in a projection", async () => {
  const stream = stage.keyline().stream<number>("projected", { transactional: true });
  await stream.append(1);
  const late: unknown[] = [];
  let calls = 0;
  const projection = stream.project("written", async (tx) => {
    if (calls++ === 0) await branches(tx, late);
    await tx.query("INSERT INTO written VALUES (1), (2)");
  });
  await projection.caughtUp();
  await eventually("the other branches went on", () => late.length === 2);
  expect(await written()).toEqual([1, 2]);
  await projection.stop();
});

test("what is lent is the client in every other respect", async () => {
  const keyline = stage.keyline();
  const queue = keyline.queue<number>("lent", { transactional: true });
  let kept: Transaction | undefined;
  await keyline.transaction(async (tx) => {
    kept = tx;
    expect(tx.listenerCount("error")).toBeGreaterThan(0);
    await new Promise<void>((resolve, reject) => {
      tx.query("INSERT INTO written VALUES (7)", (error: Error | null) => (error ? reject(error) : resolve()));
    });
    await queue.add(1, { tx });
  });
  expect(await written()).toEqual([7]);
  const refused = await new Promise<unknown>((resolve) => kept?.query("SELECT 1", (error: Error | null) => resolve(error)));
  expect(refused).toMatchObject({ code: "NOT_IN_TRANSACTION" });
  // Its commit was seen: nobody waits for the relay.
  await eventually("it is on Valkey", async () => (await queue.counts()).waiting === 1, 1_000);
});
