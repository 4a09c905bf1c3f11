import { startValkey, type EmbeddedValkey } from "@keyline/embedded";
import { Valkey } from "iovalkey";
import { Keyline, type Queue } from "keyline";
import { afterAll, beforeAll, expect, test } from "vitest";
import { startProcess, type TestProcess } from "../../support/processes.ts";
import { eventually } from "../../support/stage.ts";

let valkey: EmbeddedValkey;
beforeAll(async () => {
  valkey = await startValkey({ persistence: true });
});
const workers: TestProcess[] = [];
afterAll(async () => {
  for (const worker of workers) worker.signal("SIGKILL");
  await valkey.stop();
});

const prefix = "restarted";
const hourMs = 3_600_000;

function startWorker(): TestProcess {
  const settings = { valkey: valkey.url, postgres: "postgres://nobody@127.0.0.1:1/none", prefix, queue: "reminders", transactional: false };
  const worker = startProcess("life-worker.ts", { ...settings, workers: 1, concurrency: 4, lease: 1_500, failing: 0, work: 0 });
  workers.push(worker);
  return worker;
}

async function withQueue<Result>(use: (queue: Queue<{ n: number }>) => Promise<Result>): Promise<Result> {
  const keyline = new Keyline({ valkey: valkey.url, prefix });
  try {
    return await use(keyline.queue("reminders"));
  } finally {
    await keyline.close();
  }
}

/** What ran, by the worker's notes. */
async function ran(): Promise<string[]> {
  const client = new Valkey(valkey.port, valkey.host);
  const lists = await Promise.all([client.lrange("life:reminders:", 0, -1), client.lrange("life:reminders:g", 0, -1)]);
  client.disconnect();
  return lists.flat().toSorted();
}

test("delayed jobs of a plain queue outlive every process that knew of them, and Valkey's own end with its append-only file", async () => {
  const first = startWorker();
  const far = await withQueue(async (queue) => {
    await queue.add({ n: 0 });
    await eventually("the worker works", async () => (await ran()).length === 1);
    await eventually("nothing is under way", async () => (await queue.counts()).running === 0);
    return queue.addMany([
      { data: { n: 1 }, delay: hourMs },
      { data: { n: 2 }, runAt: Date.now() + hourMs, priority: "high" },
      { data: { n: 3 }, delay: hourMs, group: "g" },
      { data: { n: 4 }, delay: hourMs, id: "own" },
    ]);
  });
  first.signal("SIGKILL");
  await first.exited;
  // What is due while nobody is there.
  await withQueue((queue) => queue.addMany([5, 6].map((n) => ({ data: { n }, delay: 10 }))));
  await valkey.kill();
  await valkey.restart();

  startWorker();
  await eventually("what was due meanwhile has run", async () => (await ran()).length === 3);
  expect(await ran()).toEqual(["0", "5", "6"]);
  await withQueue(async (queue) => {
    expect(await queue.counts()).toMatchObject({ scheduled: 4, waiting: 0 });
    expect(await queue.add({ n: 7 }, { id: "own" })).toEqual({ id: "own", added: false });
    for (const { id } of far) {
      const { state, dueAt } = (await queue.job(id)) ?? {};
      expect(state).toBe("scheduled");
      expect(dueAt).toBeGreaterThan(Date.now());
      expect(await queue.promote(id)).toBe(true);
    }
  });
  await eventually("all have run", async () => (await ran()).length === 7);
  expect(await ran()).toEqual(["0", "1", "2", "3", "4", "5", "6"]);
});
