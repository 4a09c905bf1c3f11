import { afterAll, beforeAll, expect, test } from "vitest";
import { startProcess, type TestProcess } from "../../support/processes.ts";
import { eventually, gate, openStage, type Stage } from "../../support/stage.ts";

type N = { readonly n: number };

const lease = 3_000;
let stage: Stage;
const idle: TestProcess[] = [];
beforeAll(async () => {
  stage = await openStage();
  await stage.keyline().migrate();
});
afterAll(async () => {
  for (const worker of idle) worker.signal("SIGKILL");
  await stage.close();
});

const options = { transactional: true, lease } as const;
const keyOf = (queue: string, name: string): string => `${stage.prefix}:{${queue}}:${name}`;

async function forgetAll(queue: string): Promise<void> {
  await stage.valkey.del(...(await stage.valkey.keys(keyOf(queue, "*"))));
}

/** How many elements its lists have. */
async function elements(queue: string): Promise<number> {
  const lists = ["waiting", "waiting:high", "waiting:low"].map((name) => stage.valkey.llen(keyOf(queue, name)));
  for (const key of await stage.valkey.keys(keyOf(queue, "held:*"))) lists.push(stage.valkey.llen(key));
  for (const key of await stage.valkey.keys(keyOf(queue, "line:*"))) lists.push(stage.valkey.zcard(key));
  const counts = await Promise.all([...lists, stage.valkey.zcard(keyOf(queue, "scheduled")), stage.valkey.hlen(keyOf(queue, "lines"))]);
  return counts.reduce((sum, one) => sum + one, 0);
}

async function isRebuilt(queue: string): Promise<boolean> {
  const { rows } = await stage.pool.query<{ epoch: string }>("SELECT epoch FROM keyline.queue WHERE name = $1 AND rebuilt_epoch = epoch", [
    queue,
  ]);
  return rows[0] !== undefined && rows[0].epoch === (await stage.valkey.get(keyOf(queue, "epoch")));
}

async function isChecked(queue: string): Promise<boolean> {
  const { rows } = await stage.pool.query("SELECT FROM keyline.queue WHERE name = $1 AND checked_epoch = epoch", [queue]);
  return rows.length === 1 && (await isRebuilt(queue));
}

async function startIdle(queue: string): Promise<TestProcess> {
  const servers = { valkey: stage.valkeyUrl, postgres: stage.databaseUrl, prefix: stage.prefix };
  const worker = startProcess("order-worker.ts", { ...servers, queue, lease, concurrency: 1, work: 0, batch: false });
  idle.push(worker);
  await eventually("it waits for a job", async () => {
    const clients = String(await stage.valkey.call("CLIENT", "LIST"));
    return (await stage.valkey.zcard(keyOf(queue, "workers"))) === 1 && clients.includes("cmd=blmove");
  });
  await eventually("the first memory is in charge", () => isRebuilt(queue));
  return worker;
}

/** The worker is given `n` by a memory that does not know it, and is gone before it knows. */
async function loseWith(queue: string, n: number, add: () => Promise<unknown>): Promise<void> {
  for (;;) {
    const worker = await startIdle(queue);
    worker.signal("SIGSTOP");
    await forgetAll(queue);
    await add();
    const held = async (): Promise<string | undefined> => (await stage.valkey.keys(keyOf(queue, "held:*")))[0];
    // Its wait may have been over: then the job waits for another one.
    await eventually(
      "the job is there",
      async () => (await held()) !== undefined || (await stage.valkey.llen(keyOf(queue, "waiting"))) > 0,
    );
    worker.signal("SIGKILL");
    await worker.exited;
    const list = await held();
    if (list !== undefined)
      return expect((await stage.valkey.lrange(list, 0, -1)).map((text) => JSON.parse(text) as object)).toMatchObject([{ data: { n } }]);
    await forgetAll(queue);
    await stage.pool.query("DELETE FROM keyline.job WHERE queue = $1", [queue]);
  }
}

/** As one does who tells the rows of a rescue: keeps the epoch in charge, and then locks a row. */
async function writeWhileItIsChecked(queue: string): Promise<void> {
  const client = await stage.pool.connect();
  await client.query("BEGIN");
  await client.query("SELECT FROM keyline.queue WHERE name = $1 FOR SHARE", [queue]);
  const waits =
    "SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND (query LIKE '%checked_epoch = $2%' OR query LIKE '%keyline.queue%FOR NO KEY UPDATE')";
  await eventually("the check waits for the epoch", async () => (await stage.pool.query(waits)).rows.length > 0, 60_000);
  // Would the check have locked it, each would wait for the other.
  await client.query("SELECT FROM keyline.job WHERE queue = $1 FOR UPDATE NOWAIT", [queue]);
  await client.query("COMMIT");
  client.release();
}

test("a job that a new memory has given to a worker which it does not know, and which is gone, is run by another one", async () => {
  // A producer of its own each time, which asks for the epoch before it delivers.
  await loseWith("q", 1, () => stage.keyline().queue<N>("q", options).add({ n: 1 }));
  await eventually("the delivery counts", async () => {
    const { rows } = await stage.pool.query(
      "SELECT FROM keyline.job JOIN keyline.queue ON name = queue WHERE delivered_to = epoch AND queue = 'q'",
    );
    return rows.length === 1 && (await isRebuilt("q"));
  });
  expect(await elements("q")).toBe(1);
  const ran: number[] = [];
  const worker = stage
    .keyline()
    .queue<N>("q", options)
    .work(({ data }) => void ran.push(data.n));
  await writeWhileItIsChecked("q");
  await eventually("it has run", () => ran.length > 0, 60_000);
  await eventually("the memory is checked", () => isChecked("q"), 60_000);
  await eventually("it has ended", async () => (await stage.pool.query("SELECT FROM keyline.job WHERE queue = 'q'")).rowCount === 0);
  expect(ran).toEqual([1]);
  await worker.stop();
}, 150_000);

test("a check of a memory that has all of its jobs delivers none of them once more", async () => {
  const queue = stage.keyline().queue<N>("s", options);
  const release = gate();
  const worker = queue.work(
    async (job) => {
      if (job.data.n === 1) await release.opened;
      if (job.data.n === 2) await job.sleep("nap", 3_600_000);
    },
    { concurrency: 1 },
  );
  const { id: sleeps } = await queue.add({ n: 2 });
  await eventually(
    "one sleeps",
    async () => (await stage.pool.query("SELECT FROM keyline.job WHERE id = $1 AND parks = 1", [sleeps])).rows.length === 1,
  );
  await queue.add({ n: 1 });
  await eventually("one runs", async () => (await queue.counts()).running === 1);
  for (const priority of ["high", "normal", "low"] as const) await queue.add({ n: 3 }, { priority });
  await queue.add({ n: 4 }, { delay: 3_600_000 });
  for (let n = 5; n < 8; n++) await queue.add({ n }, { group: "g" });
  const count = 9;
  const delivered = async (): Promise<number> =>
    (await stage.pool.query("SELECT FROM keyline.job JOIN keyline.queue ON name = queue WHERE queue = 's' AND delivered_to = epoch")).rows
      .length;
  await eventually("all deliveries are noted", async () => (await delivered()) === count && (await isRebuilt("s")));
  await stage.valkey.del(keyOf("s", "epoch"));
  await eventually("there is another epoch", () => isRebuilt("s"), 30_000);
  await eventually("it is checked", () => isChecked("s"), 60_000);
  expect(await delivered()).toBe(count);
  expect(await elements("s")).toBe(count);
  release.open();
  await worker.stop();
}, 150_000);
