import { startValkey, type EmbeddedValkey } from "@keyline/embedded";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { Queue } from "../../src/index.ts";
import { eventually, openStage, type Stage } from "../support/stage.ts";

let valkey: EmbeddedValkey;
let stage: Stage;
let queue: Queue<number, number, true>;
beforeAll(async () => {
  valkey = await startValkey();
  stage = await openStage({ valkeyUrl: valkey.url });
  const keyline = stage.keyline();
  await keyline.migrate();
  queue = keyline.queue<number>("orders", { transactional: true });
  await queue.addMany([1, 2, 3].map((data) => ({ data, id: `g${data}`, group: "many" })));
  await queue.add(4, { id: "single", group: "one" });
  await queue.add(5, { id: "held", group: "stands" });
  await queue.pause({ group: "stands" });
  await eventually("all are noted", async () => (await queue.stores()).undelivered === 0);
  await queue.rates();
  await stage.pool.query(
    `INSERT INTO keyline.figure (shape, name, hour, counts) SELECT 'queue', 'orders', floor(extract(epoch FROM now()) / 3600) - n, '{"added": 7}' FROM generate_series(1, 3) AS n`,
  );
});
afterAll(async () => {
  await stage.close();
  await valkey.stop();
});

async function all<Item>(items: AsyncIterable<Item>): Promise<Item[]> {
  const found: Item[] = [];
  for await (const item of items) found.push(item);
  return found;
}

const isFoundOut = (): boolean => stage.log.some(({ message }) => message.startsWith("Valkey connection failed"));

/** What is told while Valkey is away, of what it alone is asked for otherwise. */
async function expectRows(): Promise<void> {
  const groups = [
    { name: "many", state: "blocked", waiting: 2, blockedBy: "g1", isFromRows: true },
    { name: "one", state: "running", waiting: 0, isFromRows: true },
    { name: "stands", state: "paused", waiting: 1, isFromRows: true },
  ];
  const [counts, jobs, job, listed, blocked, hours, limits] = await Promise.all([
    queue.counts(),
    all(queue.jobs()),
    queue.job("g1"),
    all(queue.groups()),
    all(queue.groups({ state: "blocked" })),
    queue.rates({ hours: 4 }),
    queue.limits(),
  ]);
  expect(counts).toMatchObject({ waiting: 5, isFromRows: true });
  expect(jobs.map(({ id, isFromRow }) => [id, isFromRow])).toEqual(["g1", "g2", "g3", "held", "single"].map((id) => [id, true]));
  expect(job).toMatchObject({ data: 1, isFromRow: true });
  expect(listed).toMatchObject(groups);
  expect(blocked).toMatchObject(groups.slice(0, 1));
  expect(hours.hours.map(({ added }) => added)).toEqual([7, 7, 7, 0]);
  expect(limits).toEqual({});
  const behind = queue.groups({ cursor: listed[0]?.cursor ?? "" });
  expect((await all(behind)).map(({ name }) => name)).toEqual(["one", "stands"]);
}

test("while Valkey hangs, rows tell what they know before its connection has found it out", async () => {
  const before = await all(queue.groups());
  expect(before.map(({ name, state }) => ({ name, state })).toSorted((a, b) => (a.name < b.name ? -1 : 1))).toEqual([
    { name: "many", state: "blocked" },
    { name: "one", state: "running" },
    { name: "stands", state: "paused" },
  ]);
  valkey.pause();
  await expectRows();
  expect(isFoundOut()).toBe(false);
  // Each order of its own: it goes on where it began.
  await expect(all(queue.groups({ cursor: before[0]?.cursor ?? "" }))).rejects.toMatchObject({ code: "VALKEY_UNAVAILABLE" });
  await eventually("its connection has found it out", isFoundOut);
  await expectRows();
  // Only Valkey has these.
  for (const ask of [queue.workers(), queue.rates({ minutes: 5 })]) {
    await expect(ask).rejects.toMatchObject({ code: "VALKEY_UNAVAILABLE" });
  }
  valkey.resume();
  await eventually("it is asked again", async () => (await all(queue.groups())).every(({ isFromRows }) => !isFromRows));
  expect((await queue.counts()).isFromRows).toBe(false);
});
