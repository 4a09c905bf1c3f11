import type { DeadLetter, Queue, SettleEffects } from "keyline";
import pg from "pg";
import { afterAll, beforeAll, expect, test } from "vitest";
import { openEffectsStage, type EffectsStage, type N } from "../../support/effects-stage.ts";
import { eventually } from "../../support/stage.ts";
import { startWireProxy, targetOf, through, type WireProxy } from "../../support/wire-proxy.ts";

let stage: EffectsStage;
beforeAll(async () => {
  stage = await openEffectsStage();
  await stage.pool.query("CREATE TABLE choosy (queue text, n integer CHECK (n % 7 <> 3))");
  await stage.pool.query("CREATE TABLE watched (queue text, n integer, xid text DEFAULT pg_current_xact_id()::text)");
  await stage.pool.query("CREATE TABLE shared (n integer PRIMARY KEY, hits integer NOT NULL)");
  await stage.pool.query("INSERT INTO shared VALUES (1, 0)");
});
afterAll(() => stage.close());

const insert = "INSERT INTO effects VALUES ($1, $2)";
const lettersOf = async (queue: Queue<N, N, true>): Promise<DeadLetter[]> => {
  const letters: DeadLetter[] = [];
  for await (const letter of queue.deadLetters()) letters.push(letter);
  return letters;
};
const upTo = (count: number): number[] => Array.from({ length: count }, (_, n) => n);
const asJobs = (numbers: readonly number[]): { data: N }[] => numbers.map((n) => ({ data: { n } }));
const allSettled = (queue: string): Promise<void> =>
  eventually("all are settled", async () => (await stage.rowsOf(queue)).every(({ state }) => state === "dead"));

test("jobs that settle by statements at the same moment share transactions, and each has its effects once", async () => {
  const queue = stage.nextQueue();
  const text = "INSERT INTO watched (queue, n) VALUES ($1, $2)";
  const answers: boolean[] = [];
  const worker = queue.work(async (job, { settle }) => answers.push(await settle({ text, values: [queue.name, job.data.n] })), {
    concurrency: 40,
  });
  let count = 0;
  const read = async (): Promise<{ n: number; xid: string }[]> =>
    (await stage.pool.query<{ n: number; xid: string }>("SELECT n, xid FROM watched WHERE queue = $1 ORDER BY n", [queue.name])).rows;
  const transactions = async (): Promise<number> => new Set((await read()).map(({ xid }) => xid)).size;
  // On a busy machine each may go alone for a while.
  while (count === 0 || ((await transactions()) === count && count < 4_000)) {
    await queue.addMany(asJobs(upTo(400).map((n) => n + count)));
    count += 400;
    await allSettled(queue.name);
  }
  expect((await read()).map(({ n }) => n)).toEqual(upTo(count));
  expect(await transactions()).toBeLessThan(count);
  await eventually("all have their answer", () => answers.length === count);
  expect(answers.every(Boolean)).toBe(true);
  await worker.stop();
});

test("several statements of a job are done in their order, all or none of them", async () => {
  const queue = stage.nextQueue();
  await queue.addMany(asJobs(upTo(70)));
  const worker = queue.work(
    (job, { settle }) =>
      settle([
        { text: insert, values: [queue.name, job.data.n] },
        { text: "UPDATE effects SET n = n + 1000 WHERE queue = $1 AND n = $2", values: [queue.name, job.data.n] },
        { text: "INSERT INTO choosy VALUES ($1, $2)", values: [queue.name, job.data.n] },
      ]),
    { concurrency: 30 },
  );
  await allSettled(queue.name);
  const good = upTo(70).filter((n) => n % 7 !== 3);
  expect(await stage.effectsOf(queue.name)).toEqual(good.map((n) => n + 1_000));
  const letters = await lettersOf(queue);
  expect(letters).toHaveLength(10);
  for (const { reason } of letters) expect(reason).toContain("choosy");
  await worker.stop();
});

test("a job that is on the queue twice, or was settled before, has its effects once, and so have its neighbours", async () => {
  const queue = stage.nextQueue();
  await queue.addMany(asJobs(upTo(60)));
  await eventually("all are on Valkey", async () => (await stage.waiting(queue.name)).length === 60);
  const raws = await stage.waiting(queue.name);
  await stage.valkey.rpush(`${stage.prefix}:{${queue.name}}:waiting`, ...raws.filter((_, index) => index % 3 === 0));
  const answers: boolean[] = [];
  const worker = queue.work(
    async (job, { settle }) => answers.push(await settle({ text: insert, values: [queue.name, job.data.n] }).catch(() => false)),
    { concurrency: 30 },
  );
  await eventually("all have an answer", () => answers.length === 80);
  expect(await stage.effectsOf(queue.name)).toEqual(upTo(60));
  expect(answers.filter(Boolean)).toHaveLength(60);
  await worker.stop();
});

test("a statement that waits for a lock of somebody else's keeps no neighbour waiting for good, and is done afterwards", async () => {
  const queue = stage.nextQueue();
  const blocker = await stage.pool.connect();
  await blocker.query("BEGIN");
  await blocker.query("SELECT FROM shared WHERE n = 1 FOR UPDATE");
  await queue.addMany(asJobs(upTo(40)));
  const worker = queue.work(
    (job, { settle }) => {
      const own = { text: insert, values: [queue.name, job.data.n] };
      return settle(job.data.n === 5 ? [own, { text: "UPDATE shared SET hits = hits + 1 WHERE n = 1" }] : own);
    },
    { concurrency: 40 },
  );
  const others = upTo(40).filter((n) => n !== 5);
  await eventually("its neighbours are settled", async () => (await stage.effectsOf(queue.name)).length === 39);
  expect(await stage.effectsOf(queue.name)).toEqual(others);
  await blocker.query("COMMIT");
  blocker.release();
  await allSettled(queue.name);
  expect(await stage.effectsOf(queue.name)).toEqual(upTo(40));
  expect((await stage.pool.query<{ hits: number }>("SELECT hits FROM shared")).rows).toEqual([{ hits: 1 }]);
  await worker.stop();
});

test("connections that forget their prepared statements cost no job its effects", async () => {
  const pool = new pg.Pool({ connectionString: stage.databaseUrl, max: 4 });
  const keyline = stage.keyline({ postgres: pool });
  const queue = keyline.queue<N>("forgetful", { transactional: true });
  const worker = queue.work((job, { settle }) => settle({ text: insert, values: [queue.name, job.data.n] }), { concurrency: 20 });
  for (let round = 0; round < 3; round++) {
    await queue.addMany(asJobs(upTo(100).map((n) => n + 100 * round)));
    await allSettled(queue.name);
    const clients = await Promise.all(Array.from({ length: pool.totalCount }, () => pool.connect()));
    for (const client of clients) {
      await client.query("DISCARD ALL");
      client.release();
    }
  }
  expect(await stage.effectsOf(queue.name)).toEqual(upTo(300));
  await worker.stop();
  await keyline.close();
  await pool.end();
});

interface Wire {
  readonly proxy: WireProxy;
  readonly postgres: string;
}

async function openWire(): Promise<Wire> {
  const proxy = await startWireProxy({ target: targetOf(stage.databaseUrl) });
  return { proxy, postgres: through(stage.databaseUrl, proxy) };
}

test.each([
  ["whose answers got lost", "swallowReply"],
  ["that never arrived", "cutBeforeForward"],
] as const)("after packets %s every job is settled once, and is told so", async (_, fault) => {
  const { proxy, postgres } = await openWire();
  const keyline = stage.keyline({ postgres });
  const name = `wire-${fault}`;
  const queue = keyline.queue<N>(name, { transactional: true });
  const answers = new Map<number, boolean>();
  const isPacket = (bytes: Buffer): boolean => bytes.includes("keyline-settle-all") && bytes.includes("COMMIT");
  proxy[fault](isPacket, { times: 4 });
  const worker = queue.work(
    async (job, { settle }) => {
      answers.set(job.data.n, await settle({ text: insert, values: [name, job.data.n] }));
    },
    { concurrency: 20 },
  );
  for (let count = 0; proxy.swallowed + proxy.cuts < 4 || count === 0; count += 100) {
    await queue.addMany(asJobs(upTo(100).map((n) => n + count)));
    await allSettled(name);
    expect(await stage.effectsOf(name)).toEqual(upTo(count + 100));
  }
  await eventually("all are told", () => answers.size % 100 === 0 && answers.size > 0);
  expect([...answers.values()].every(Boolean)).toBe(true);
  await worker.stop();
  await keyline.close();
  await proxy.stop();
});

test("where its result is kept, it is what the handler returns", async () => {
  const queue = stage.keyline().queue<N>("kept", { transactional: true, keepResult: 60_000 });
  const worker = queue.work(async (job, { settle }) => {
    await settle({ text: insert, values: [queue.name, job.data.n] });
    return job.data.n * 2;
  });
  const { id } = await queue.add({ n: 21 });
  expect(await queue.waitFor(id, { timeout: 20_000 })).toBe(42);
  expect(await stage.effectsOf("kept")).toEqual([21]);
  await worker.stop();
});

test.each([
  ["nothing", undefined],
  ["a text", "SELECT 1"],
  ["no text", { values: [] }],
  ["an empty text", { text: "  " }],
  ["values that are no list", { text: "SELECT $1", values: 1 }],
  ["one that is none among others", [{ text: "SELECT 1" }, 7]],
  ["the end of the transaction", { text: "COMMIT" }],
  ["it behind comments", { text: " -- done\n /* and * gone */ RollBack" }],
  ["a savepoint", [{ text: "SELECT 1" }, { text: "savepoint here" }]],
] as const)("%s is refused, and nothing is written", async (_, effects) => {
  const queue = stage.nextQueue();
  const worker = queue.work((__, { settle }) => settle(effects as unknown as SettleEffects));
  await queue.add({ n: 1 });
  await eventually("it is dead", async () => (await stage.rowsOf(queue.name))[0]?.state === "dead");
  const letters = await lettersOf(queue);
  expect(letters[0]?.reason).toContain("settle");
  expect(await stage.effectsOf(queue.name)).toEqual([]);
  await worker.stop();
});

test("several statements in one text are refused by the server, so that none can end the transaction", async () => {
  const queue = stage.nextQueue();
  await queue.add({ n: 1 });
  const worker = queue.work((__, { settle }) => settle({ text: "INSERT INTO effects VALUES ('several', 1); COMMIT" }));
  await eventually("it is dead", async () => (await stage.rowsOf(queue.name))[0]?.state === "dead");
  expect(await stage.effectsOf("several")).toEqual([]);
  await worker.stop();
});
