import { afterAll, beforeAll, expect, test } from "vitest";
import { startProcess } from "../../support/processes.ts";
import { eventually, openStage, type Stage } from "../../support/stage.ts";

type N = { readonly n: number };

let stage: Stage;
beforeAll(async () => {
  stage = await openStage();
  await stage.keyline().migrate();
});
afterAll(() => stage.close());

const rows = async (condition: string): Promise<number> =>
  (
    await stage.pool.query(
      `SELECT FROM keyline.job JOIN keyline.queue ON queue.name = job.queue WHERE queue.name = 'overtaken' AND ${condition}`,
    )
  ).rows.length;

// Two hands at one row: a rescue raises its count, and a rebuild delivers it with the count from before. The copy settles nothing, being overtaken,
// and the row must not say that it was delivered.
test("a job whose count a rescue raises while a rebuild delivers it again has its next attempt", async () => {
  const queue = stage.keyline().queue<N>("overtaken", { transactional: true, lease: 3_000 });
  const key = (name: string): string => `${stage.prefix}:{overtaken}:${name}`;
  const victim = startProcess("order-worker.ts", {
    valkey: stage.valkeyUrl,
    postgres: stage.databaseUrl,
    prefix: stage.prefix,
    queue: "overtaken",
    lease: 1_000,
    concurrency: 1,
    work: 60_000,
    batch: false,
  });
  await queue.add({ n: 1 });
  await eventually("the victim has begun", () => victim.lines.some((line) => line["started"] === 1));
  await eventually("the delivery is noted", async () => (await rows("delivered_to = epoch AND rebuilt_epoch = epoch")) === 1);
  victim.signal("SIGKILL");
  await victim.exited;
  const holder = await stage.pool.connect();
  await holder.query("BEGIN");
  await holder.query("SELECT FROM keyline.job WHERE queue = 'overtaken' FOR UPDATE");

  const begun: number[] = [];
  const worker = queue.work(async (job) => {
    begun.push(job.attempt);
    // The first is the one that was rescued: it ends with the memory that it came from.
    if (begun.length === 1) await new Promise((resolve) => job.signal.addEventListener("abort", resolve));
  });
  worker.on("error", () => undefined);
  const isWaiting = async (what: string): Promise<boolean> =>
    (await stage.pool.query("SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE $1", [`%${what}%`])).rows.length >
    0;
  await eventually("the rescue waits for the row", () => isWaiting("raised.attempts"));
  await eventually("the rescued one runs", () => begun.length === 1);
  await stage.valkey.del(...(await stage.valkey.keys(key("*"))));
  await eventually("the rebuild waits for the rescue", () => isWaiting("excluded.epoch"));
  await holder.query("COMMIT");
  holder.release();
  await eventually("the row is gone", async () => (await rows("true")) === 0);
  expect(begun[0]).toBe(2);
  expect(begun.slice(1)).toContain(2);
  await worker.stop();
}, 90_000);
