import { startPostgres, startValkey, type EmbeddedPostgres, type EmbeddedValkey } from "@keyline/embedded";
import type { Keyline, Queue } from "keyline";
import { afterAll, beforeAll, expect, test } from "vitest";
import { eventually, gate, openStage, type Stage } from "../support/stage.ts";

let valkey: EmbeddedValkey;
let postgres: EmbeddedPostgres;
let stage: Stage;
let keyline: Keyline;
beforeAll(async () => {
  [valkey, postgres] = await Promise.all([startValkey({ persistence: true }), startPostgres()]);
  stage = await openStage({ valkeyUrl: valkey.url, postgresUrl: postgres.url });
  keyline = stage.keyline();
  await keyline.migrate();
});
afterAll(async () => {
  await stage.close();
  await Promise.all([valkey.stop(), postgres.stop()]);
});

async function all<Item>(items: AsyncIterable<Item>): Promise<Item[]> {
  const found: Item[] = [];
  for await (const item of items) found.push(item);
  return found;
}

type Rows = Queue<string, string, true>;

/** One job of each kind; the one that runs is held until the gate is opened. */
async function fill(name: string): Promise<{ readonly queue: Rows; readonly held: ReturnType<typeof gate>; stop(): Promise<void> }> {
  const queue = keyline.queue<string>(name, { transactional: true, maxAttempts: 1, limits: { group: { concurrency: 1 } } });
  const held = gate();
  const running = gate();
  const worker = queue.work(async (job) => {
    if (job.data === "fails") throw new TypeError(`no user ${job.id}`);
    if (job.data === "sleeps") await job.sleep("long", 600_000);
    running.open();
    await job.progress({ done: 1, of: 2 });
    await held.opened;
  });
  for (const id of ["d1", "d2"]) await queue.add("fails", { id });
  await queue.add("sleeps", { id: "parked" });
  await queue.add("runs", { id: "running", group: "g" });
  await running.opened;
  await queue.add("waits behind it", { id: "blocked", group: "g" });
  await queue.add("waits", { id: "w1" });
  await queue.add("waits", { id: "w2" });
  await queue.add("is due later", { id: "later", delay: 600_000 });
  await stage.valkey.lpush(`${stage.prefix}:{${name}}:waiting`, "no job");
  await eventually("all are there", async () => (await queue.jobs({ state: "waiting" }).next()).value?.id === "w1");
  return {
    queue,
    held,
    stop: async () => {
      held.open();
      await worker.stop({ timeout: 0 });
    },
  };
}

const idsOf = (jobs: readonly { readonly id: string }[]): string[] => jobs.map(({ id }) => id);

test("while Valkey is away, jobs and dead letters of a transactional queue are told as its rows have them", async () => {
  const { queue, stop } = await fill("rows");
  await queue.schedule("nightly", { every: 3_600_000, data: "tick" });
  expect(idsOf(await all(queue.jobs({ state: "running" })))).toEqual(["running"]);
  expect(idsOf(await all(queue.jobs({ state: "blocked" })))).toEqual(["blocked"]);
  expect(await queue.job("running")).toMatchObject({ state: "running", progress: { done: 1, of: 2 } });
  expect(await queue.job("running")).not.toHaveProperty("isFromRow");

  await valkey.kill();
  // Which of them run, and which their groups hold back, only Valkey knows.
  expect(await all(queue.jobs({ state: "waiting" }))).toMatchObject(
    ["blocked", "running", "w1", "w2"].map((id) => ({ id, state: "waiting", isFromRow: true })),
  );
  for (const state of ["running", "blocked"] as const) {
    await expect(all(queue.jobs({ state }))).rejects.toMatchObject({ code: "VALKEY_UNAVAILABLE" });
  }
  expect(await all(queue.jobs({ state: "scheduled" }))).toMatchObject([{ id: "later", isFromRow: true }]);
  expect(await all(queue.jobs({ state: "parked" }))).toMatchObject([{ id: "parked", isFromRow: true }]);
  const [first] = await all(queue.jobs({ limit: 1 }));
  expect(first?.id).toBe("blocked");
  expect(idsOf(await all(queue.jobs({ cursor: first?.cursor ?? "" })))).toEqual(["d1", "d2", "later", "parked", "running", "w1", "w2"]);
  expect(await all(queue.jobs({ state: "scheduled", contains: "due later" }))).toMatchObject([{ id: "later" }]);
  const running = await queue.job("running");
  expect(running).toMatchObject({ state: "waiting", data: "runs", group: "g", isFromRow: true });
  expect(running).not.toHaveProperty("progress");
  expect(await queue.job("parked")).toMatchObject({ state: "parked", steps: [{ name: "long", kind: "sleep" }] });
  expect(await queue.job("unknown")).toBeUndefined();
  expect(await queue.family("w1")).toMatchObject({ id: "w1", state: "waiting", children: [] });

  expect(idsOf(await all(queue.deadLetters()))).toEqual(["d2", "d1"]);
  expect(await all(queue.deadLetters({ error: /d1/, after: 0, before: Date.now() + 60_000 }))).toMatchObject([{ id: "d1", data: "fails" }]);
  expect(idsOf(await all(queue.deadLetters({ ids: ["d2", "unknown"] })))).toEqual(["d2"]);
  const { causes, looked, total } = await queue.deadLetterCauses();
  expect({ causes, looked, total }).toMatchObject({ causes: [{ cause: "TypeError: no user #", count: 2 }], looked: 2, total: 2 });
  expect(idsOf(await all(queue.deadLetters({ cause: causes[0]?.cause ?? "" })))).toEqual(["d2", "d1"]);
  expect(await queue.limits()).toEqual({ group: { concurrency: 1 } });
  expect(await all(queue.schedules())).toMatchObject([{ name: "nightly" }]);
  // What changes something needs both.
  await expect(queue.redrive({ all: true })).rejects.toMatchObject({ code: "VALKEY_UNAVAILABLE" });
  await expect(queue.update("w1", { data: "other" })).rejects.toMatchObject({ code: "VALKEY_UNAVAILABLE" });
  // The record has it: it would not be true that nothing was done.
  await expect(queue.setLimits({ concurrency: 7 })).rejects.toMatchObject({
    code: "OUTCOME_UNKNOWN",
    message: expect.stringContaining("PostgreSQL has the change") as string,
  });
  expect(await queue.limits()).toEqual({ concurrency: 7, group: { concurrency: 1 } });

  await valkey.restart();
  await eventually("it is told who runs what", async () => (await queue.job("running"))?.state === "running");
  expect(idsOf(await all(queue.jobs({ state: "blocked" })))).toEqual(["blocked"]);
  await stop();
});

test("a Valkey that goes while jobs are iterated is done without from there on", async () => {
  const queue = keyline.queue<number>("midway", { transactional: true });
  await queue.addMany(Array.from({ length: 120 }, (_, data) => ({ data })));
  const seen: (true | undefined)[] = [];
  for await (const { isFromRow } of queue.jobs({ state: "waiting" })) {
    if (seen.push(isFromRow) === 1) await valkey.kill();
  }
  expect(seen).toHaveLength(120);
  expect([seen[0], seen.at(-1)]).toEqual([undefined, true]);
  await valkey.restart();
});

test("what is not in rows is refused while Valkey is away", async () => {
  const queue = keyline.queue<number>("plain");
  await queue.add(1, { id: "one" });
  await valkey.kill();
  const reads = [
    () => all(queue.jobs()),
    () => queue.job("one"),
    () => all(queue.deadLetters()),
    () => queue.deadLetterCauses(),
    () => queue.limits(),
    () => queue.counts({ known: true }),
  ];
  const refused = await Promise.allSettled(reads.map((read) => read()));
  expect(refused).toMatchObject(reads.map(() => ({ status: "rejected", reason: { code: "VALKEY_UNAVAILABLE" } })));
  await valkey.restart();
});

test("while PostgreSQL is away, what Valkey knows of a transactional queue is counted for who asks for it", async () => {
  const { queue, stop } = await fill("known");
  await eventually("all are noted", async () => (await queue.stores()).undelivered === 0);
  const before = await queue.counts();
  expect(await queue.counts({ known: true })).toEqual(before);
  expect(before).toMatchObject({ waiting: 3, running: 1, blocked: 1, scheduled: 1, parked: 1, dead: 2 });

  await postgres.kill();
  await expect(queue.counts()).rejects.toMatchObject({ code: "POSTGRES_UNAVAILABLE" });
  // Which of those that rest on the schedule are parked only rows say.
  expect(await queue.counts({ known: true })).toEqual({
    ...before,
    scheduled: 2,
    parked: undefined,
    dead: undefined,
    dropped: undefined,
  });
  await expect(queue.counts({ known: 1 as never })).rejects.toMatchObject({ code: "INVALID_OPTION" });
  await expect(queue.counts({ all: true } as never)).rejects.toMatchObject({ code: "INVALID_OPTION" });
  await postgres.restart();
  await eventually("rows are counted again", async () => (await queue.counts({ known: true })).dead === 2, 60_000);
  await stop();
});
