import type { Queue } from "keyline";
import { afterAll, beforeAll, expect, test } from "vitest";
import { effectsTable, ways, write } from "../../support/effect-ways.ts";
import { eventually, gate, openQuietStage, type Stage } from "../../support/stage.ts";

// Valkey has an element again that was made before its job was updated, as an older disk or a replica brings it back: an attempt with its data may begin, and nothing of that counts.

type Jobs = Queue<string, string, true>;

let stage: Stage;
let queues = 0;
beforeAll(async () => {
  stage = await openQuietStage();
  await stage.keyline().migrate();
  await stage.pool.query(effectsTable);
});
afterAll(() => stage.close());

const options = { transactional: true, maxAttempts: 1 } as const;
const nextQueue = (more: object = {}): Jobs => stage.keyline().queue<string>(`q${queues++}`, { ...options, ...more });
const waitingKey = ({ name }: Jobs): string => `${stage.prefix}:{${name}}:waiting`;
const waiting = (queue: Jobs): Promise<string[]> => stage.valkey.lrange(waitingKey(queue), 0, -1);

async function effects({ name }: Jobs): Promise<string[]> {
  const { rows } = await stage.pool.query<{ data: string }>("SELECT data FROM effect WHERE queue = $1", [name]);
  return rows.map(({ data }) => data);
}

async function isThere(id: string, condition = "true"): Promise<boolean> {
  return (await stage.pool.query(`SELECT FROM keyline.job WHERE id = $1 AND ${condition}`, [id])).rowCount === 1;
}

/** A job that waits, and is noted as delivered. */
async function add(queue: Jobs, data = "old"): Promise<{ readonly id: string; readonly element: string }> {
  const { id } = await queue.add(data);
  await eventually(
    "it is there, and that is noted",
    async () => (await waiting(queue)).length === 1 && isThere(id, "delivered_to IS NOT NULL"),
  );
  return { id, element: (await waiting(queue))[0] ?? "" };
}

/** In the memory that there is: nobody looks which elements are there. */
async function bringBack(queue: Jobs, element: string): Promise<void> {
  expect((await waiting(queue)).length).toBe(1);
  await stage.valkey.lset(waitingKey(queue), 0, element);
}

test.each(Object.keys(ways))(
  "a job that was updated has the effects of what is new, where an attempt with its old data %s",
  async (way) => {
    const queue = nextQueue();
    const { id, element } = await add(queue);
    expect(await queue.update(id, { data: "new" })).toMatchObject({ updated: true });
    await bringBack(queue, element);
    const begun: string[] = [];
    const worker = ways[way]?.(queue, { old: "old", begun: (data) => void begun.push(data) });
    worker?.on("error", () => undefined);
    await eventually("it has ended", async () => !(await isThere(id)));
    await worker?.stop();
    expect(begun).toEqual(["old", "new"]);
    expect(await effects(queue)).toEqual(["new"]);
  },
  60_000,
);

test("what a job returns that was updated is made of what is new", async () => {
  const queue = nextQueue({ keepResult: 60_000 });
  const { id, element } = await add(queue);
  expect(await queue.update(id, { data: "new" })).toMatchObject({ updated: true });
  await bringBack(queue, element);
  const worker = queue.work(({ data }) => `made of ${data}`);
  expect(await queue.waitFor(id, { timeout: 30_000 })).toBe("made of new");
  await worker.stop();
}, 60_000);

test("a job that was updated by the COMMIT of a transaction has the effects of what is new", async () => {
  const queue = nextQueue();
  const { id, element } = await add(queue);
  const client = await stage.pool.connect();
  await client.query("BEGIN");
  expect(await queue.update(id, { data: "new" }, { tx: client })).toMatchObject({ updated: true });
  await client.query("COMMIT");
  client.release();
  await bringBack(queue, element);
  const worker = queue.work(async ({ data }, { settle }) => void (await settle((tx) => tx.query(write, [queue.name, data]))));
  await eventually("it has ended", async () => !(await isThere(id)));
  await worker.stop();
  expect(await effects(queue)).toEqual(["new"]);
}, 60_000);

test("where the memory is an older one the job runs with what is new, also while an attempt with its old data runs, and that one settles first", async () => {
  const queue = nextQueue();
  const { id, element } = await add(queue);
  expect(await queue.update(id, { data: "new" })).toMatchObject({ updated: true });
  await stage.valkey.flushall();
  await stage.valkey.rpush(waitingKey(queue), element);
  const other = stage.keyline().queue<string>(queue.name, options);
  const [newHasBegun, oldHasSettled] = [gate(), gate()];
  const settled: [string, boolean][] = [];
  const worker = other.work(
    async ({ data }, { settle }) => {
      if (data === "new") newHasBegun.open();
      await (data === "old" ? newHasBegun : oldHasSettled).opened;
      settled.push([data, await settle((tx) => tx.query(write, [queue.name, data]))]);
      oldHasSettled.open();
    },
    { concurrency: 2 },
  );
  worker.on("error", () => undefined);
  await eventually("it has ended", async () => !(await isThere(id)), 50_000);
  await worker.stop();
  expect(settled.slice(0, 2)).toEqual([
    ["old", false],
    ["new", true],
  ]);
  expect(await effects(queue)).toEqual(["new"]);
}, 80_000);

test("a job that was updated to be due at once is so where an older memory has it on the schedule", async () => {
  const queue = nextQueue();
  const { id } = await queue.add("old", { delay: 3_600_000 });
  const scheduled = `${stage.prefix}:{${queue.name}}:scheduled`;
  await eventually(
    "it is there, and that is noted",
    async () => (await stage.valkey.zcard(scheduled)) === 1 && isThere(id, "delivered_to IS NOT NULL"),
  );
  const [element = "", score = ""] = await stage.valkey.zrange(scheduled, 0, -1, "WITHSCORES");
  expect(await queue.update(id, { delay: 0 })).toMatchObject({ updated: true });
  await stage.valkey.flushall();
  await stage.valkey.zadd(scheduled, score, element);
  const other = stage.keyline().queue<string>(queue.name, options);
  const worker = other.work(async ({ data }, { settle }) => void (await settle((tx) => tx.query(write, [queue.name, data]))));
  await eventually("it has ended", async () => !(await isThere(id)), 50_000);
  await worker.stop();
}, 80_000);

test("an attempt that runs when its job is to be updated ends it", async () => {
  const queue = nextQueue();
  const [begun, going] = [gate(), gate()];
  const settled: boolean[] = [];
  const worker = queue.work(async ({ data }, { settle }) => {
    begun.open();
    await going.opened;
    settled.push(await settle((tx) => tx.query(write, [queue.name, data])));
  });
  const { id } = await queue.add("old");
  await begun.opened;
  expect(await queue.update(id, { data: "new" })).toEqual({ updated: false, state: "running" });
  going.open();
  await eventually("it has ended", async () => !(await isThere(id)));
  await worker.stop();
  expect(settled).toEqual([true]);
  expect(await effects(queue)).toEqual(["old"]);
}, 60_000);

test("a job that was updated is there once where nothing was lost, and with what it is made of its own", async () => {
  const queue = nextQueue();
  // What stands in the data says nothing.
  const { id } = await add(queue, `old,"latest":true`);
  expect(await queue.update(id, { data: `new,"data":{"latest":true}` })).toMatchObject({ updated: true });
  await queue.pause();
  await stage.valkey.del(`${stage.prefix}:{${queue.name}}:epoch`);
  const { rows } = await stage.pool.query<{ epoch: string }>("SELECT epoch FROM keyline.queue WHERE name = $1", [queue.name]);
  const other = stage.keyline().queue<string>(queue.name, options);
  const ran: string[] = [];
  const worker = other.work(({ data }) => void ran.push(data));
  await eventually("all were looked at", () => isThere(id, `delivered_to <> '${rows[0]?.epoch}'`));
  expect((await waiting(queue)).length).toBe(1);
  await queue.resume();
  await eventually("it has ended", async () => !(await isThere(id)));
  await worker.stop();
  expect(ran).toEqual([`new,"data":{"latest":true}`]);
}, 60_000);

test("a job that was updated, has died and is redriven runs once, with what is new", async () => {
  const queue = nextQueue();
  const { id } = await add(queue);
  expect(await queue.update(id, { data: "new" })).toMatchObject({ updated: true });
  const ran: string[] = [];
  const worker = queue.work(async ({ data }, { settle }) => {
    ran.push(data);
    if (ran.length === 1) throw new Error("not yet");
    await settle((tx) => tx.query(write, [queue.name, data]));
  });
  worker.on("error", () => undefined);
  await eventually("it is dead", () => isThere(id, "state = 'dead'"));
  await queue.redrive({ all: true });
  await eventually("it has ended", async () => !(await isThere(id)));
  await worker.stop();
  expect(ran).toEqual(["new", "new"]);
  expect(await effects(queue)).toEqual(["new"]);
}, 60_000);
