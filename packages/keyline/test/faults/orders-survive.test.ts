import { startPostgres, startValkey, type EmbeddedPostgres, type EmbeddedValkey } from "@keyline/embedded";
import { afterAll, beforeAll, expect, test } from "vitest";
import { seeded, startProcess, type TestProcess } from "../support/processes.ts";
import { eventually, openStage, type Stage } from "../support/stage.ts";

const orders = 20_000;
const seed = Number(process.env["SEED"] ?? Math.floor(Math.random() * 1_000_000));

let valkey: EmbeddedValkey;
let postgres: EmbeddedPostgres;
let stage: Stage;
const workers: TestProcess[] = [];

beforeAll(async () => {
  [valkey, postgres] = await Promise.all([startValkey(), startPostgres()]);
  stage = await openStage({ valkeyUrl: valkey.url, postgresUrl: postgres.url });
});
afterAll(async () => {
  for (const worker of workers) worker.signal("SIGKILL");
  await stage.close();
  await Promise.all([valkey.stop(), postgres.stop()]);
});

// Whoever acknowledged is held against what took effect: a history, not a list of examples. The effects have no unique
// constraint, so a duplicate shows.
test(`20,000 orders survive killed workers, a flushed and a killed Valkey and a restarted PostgreSQL (seed ${seed})`, async () => {
  const random = seeded(seed);
  const keyline = stage.keyline();
  await keyline.migrate();
  await stage.pool.query("CREATE TABLE orders (n integer); CREATE TABLE effects (n integer, pid integer)");
  const queue = keyline.queue<{ readonly n: number }>("orders", { transactional: true, lease: 1_500 });

  const startWorker = (): void => {
    const batch = random() < 0.5;
    workers.push(
      startProcess("order-worker.ts", {
        valkey: valkey.url,
        postgres: stage.databaseUrl,
        prefix: stage.prefix,
        queue: "orders",
        lease: 1_500,
        concurrency: batch ? 100 : 20,
        work: 0,
        batch,
      }),
    );
  };
  const alive = (): TestProcess[] => workers.filter((worker) => worker.child.exitCode === null && worker.child.signalCode === null);
  for (let count = 0; count < 3; count++) startWorker();

  // Orders are placed while everything breaks. Those whose placing failed are not owed, unless their row says otherwise.
  const acknowledged = new Set<number>();
  const placing = (async () => {
    for (let first = 0; first < orders;) {
      const numbers = Array.from({ length: 100 }, (_, index) => first + index);
      try {
        await keyline.transaction(async (tx) => {
          await tx.query("INSERT INTO orders SELECT unnest($1::integer[])", [numbers]);
          await queue.addMany(
            numbers.map((n) => ({ data: { n } })),
            { tx },
          );
        });
        for (const n of numbers) acknowledged.add(n);
        first += 100;
      } catch {
        // Unknown or failed: look for the rows, as a caller would.
        await eventually(
          "PostgreSQL answers",
          () =>
            stage.pool.query("SELECT 1").then(
              () => true,
              () => false,
            ),
          60_000,
        );
        const { rows } = await stage.pool.query("SELECT 1 FROM orders WHERE n = $1", [first]);
        if (rows.length > 0) {
          for (const n of numbers) acknowledged.add(n);
          first += 100;
        }
      }
    }
  })();

  const effectsSoFar = async (): Promise<number> =>
    stage.pool.query<{ count: string }>("SELECT count(*) FROM effects").then(
      ({ rows }) => Number(rows[0]?.count ?? 0),
      () => -1,
    );
  const reach = (count: number): Promise<void> => eventually(`${count} effects`, async () => (await effectsSoFar()) >= count, 120_000);
  const kill = async (): Promise<void> => {
    const living = alive();
    const victim = living[Math.floor(random() * living.length)];
    victim?.signal("SIGKILL");
    await victim?.exited;
    startWorker();
  };

  let bites = 0;
  await reach(1_500);
  await kill();
  await reach(4_000);
  await stage.valkey.flushall();
  bites++;
  await kill();
  await reach(7_000);
  await valkey.kill();
  await kill();
  await valkey.restart();
  bites++;
  await reach(10_500);
  await kill();
  await postgres.restart("immediate");
  bites++;
  await reach(14_000);
  await kill();
  await valkey.kill();
  await new Promise((resolve) => setTimeout(resolve, 500));
  await valkey.restart();
  bites++;
  await reach(16_000);
  await kill();
  await placing;
  expect(bites).toBe(4);
  expect(acknowledged.size).toBe(orders);

  await eventually("no row is unsettled", async () => (await stage.pool.query("SELECT FROM keyline.job")).rows.length === 0, 120_000);
  const { rows } = await stage.pool.query<{ n: number; count: string }>("SELECT n, count(*) FROM effects GROUP BY n HAVING count(*) > 1");
  expect(rows, "orders with more than one effect").toEqual([]);
  const { rows: missing } = await stage.pool.query("SELECT n FROM orders EXCEPT SELECT n FROM effects");
  expect(missing, "orders without an effect").toEqual([]);
  expect(await effectsSoFar()).toBe(orders);

  await eventually("nothing is left in any list", async () => {
    const { waiting, running, scheduled, dead } = await queue.counts();
    return waiting + running + scheduled + dead === 0;
  });
  const crashed = workers.filter(({ child }) => child.exitCode !== null && child.exitCode !== 0);
  expect(crashed, "workers that ended by themselves").toEqual([]);
  await Promise.all(alive().map((worker) => (worker.signal("SIGTERM"), worker.exited)));
  const keys = (await stage.valkey.keys("*")).filter(
    (key) => !/:(epoch|gone|rates:(hours|[a-z:]*\d+)|worker:[\w-]+|directory:queues)$/.test(key),
  );
  expect(keys, "keys that nobody needs any more").toEqual([]);
}, 300_000);
