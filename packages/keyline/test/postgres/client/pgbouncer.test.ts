import { startPgBouncer, type EmbeddedPgBouncer } from "@keyline/embedded";
import { afterAll, beforeAll, expect, test } from "vitest";
import { eventually, openStage, type Stage } from "../../support/stage.ts";

let stage: Stage;
let pgBouncer: EmbeddedPgBouncer;
beforeAll(async () => {
  stage = await openStage();
  // Fewer sessions than clients, so that each transaction gets another one.
  pgBouncer = await startPgBouncer({ target: stage.databaseUrl, settings: { default_pool_size: "4" } });
}, 120_000);
afterAll(async () => {
  await stage.close();
  await pgBouncer.stop();
});

test("behind PgBouncer, which gives each transaction another session, queues, channels and streams work as without", async () => {
  const keyline = stage.keyline({ postgres: pgBouncer.url });
  await keyline.migrate();
  await keyline.migrate();
  await stage.pool.query("CREATE TABLE effects (n integer)");
  const queue = keyline.queue<number>("bounced", { transactional: true });
  const stream = keyline.stream<number>("bounced", { transactional: true });
  const channel = keyline.channel<number>("bounced", { history: { size: 1_000 } });
  const heard: number[] = [];
  const subscription = channel.subscribe(({ data }) => void heard.push(data));
  await subscription.ready;
  const attempts: number[] = [];
  const errors: Error[] = [];
  const worker = queue.work(
    async (job, { settle }) => {
      await settle((tx) => tx.query("INSERT INTO effects VALUES ($1)", [job.data]).then(() => undefined));
      attempts.push(job.attempt);
    },
    { concurrency: 10 },
  );
  worker.on("error", (error) => errors.push(error));
  const consumed: number[] = [];
  const consumer = stream.consume("group", async (entry, { settle }) => {
    await settle(async () => undefined);
    consumed.push(entry.data);
  });
  consumer.on("error", (error) => errors.push(error));
  const work: Promise<unknown>[] = [];
  for (let n = 0; n < 200; n++) {
    if (n % 4 === 0)
      work.push(
        keyline.transaction(
          async (tx) => void (await Promise.all([queue.add(n, { tx }), stream.append(n, { tx }), channel.publish(n, { tx })])),
        ),
      );
    else work.push(queue.add(n));
    if (n % 10 === 0) await new Promise((resolve) => setImmediate(resolve));
  }
  await Promise.all(work);
  await eventually("all are settled", () => attempts.length === 200);
  await eventually("all messages came", () => heard.length === 50);
  await eventually("all events came", () => consumed.length === 50);
  expect(new Set(attempts)).toEqual(new Set([1]));
  expect(errors).toEqual([]);
  const { rows } = await stage.pool.query<{ n: number }>("SELECT n FROM effects ORDER BY n");
  expect(rows.map(({ n }) => n)).toEqual(Array.from({ length: 200 }, (_, n) => n));
  expect(consumed.toSorted((a, b) => a - b)).toEqual(Array.from({ length: 50 }, (_, n) => 4 * n));
  expect(stage.log.filter(({ level }) => level === "error" || level === "warn")).toEqual([]);
  await keyline.close();
});

test("behind PgBouncer a rebuild brings everything back", async () => {
  const keyline = stage.keyline({ postgres: pgBouncer.url });
  const queue = keyline.queue<number>("rebuilt", { transactional: true });
  await queue.addMany(Array.from({ length: 30 }, (_, data) => ({ data })));
  await eventually("they are delivered", async () => (await queue.counts()).waiting === 30);
  const keys = await stage.valkey.keys(`${stage.prefix}:*`);
  await stage.valkey.del(...keys);
  const seen = new Set<number>();
  queue.work((job) => void seen.add(job.data));
  await eventually("all ran", () => seen.size === 30);
  await keyline.close();
});
