import type { Queue } from "keyline";
import { afterAll, beforeAll, expect, test } from "vitest";
import { effectsTable, ways, write } from "../../support/effect-ways.ts";
import { eventually, gate, openQuietStage, type Stage } from "../../support/stage.ts";

// A job that was updated has begun with what is new, and then waits as it did before, as in an older memory of Valkey, of which its worker has not heard yet: it is updated once more.

type Jobs = Queue<string, string, true>;

let stage: Stage;
let queues = 0;
beforeAll(async () => {
  stage = await openQuietStage();
  await stage.keyline().migrate();
  await stage.pool.query(effectsTable);
});
afterAll(() => stage.close());

const options = { transactional: true, maxAttempts: 1, keepResult: 60_000 } as const;
const baseOf = ({ name }: Jobs): string => `${stage.prefix}:{${name}}`;

async function effects({ name }: Jobs): Promise<string[]> {
  const { rows } = await stage.pool.query<{ data: string }>("SELECT data FROM effect WHERE queue = $1", [name]);
  return rows.map(({ data }) => data);
}

async function isThere(id: string, condition = "true"): Promise<boolean> {
  return (await stage.pool.query(`SELECT FROM keyline.job WHERE id = $1 AND ${condition}`, [id])).rowCount === 1;
}

/** The element that a worker has waits again as it did before; the queue is paused, so that nobody takes it. */
async function bringBack(queue: Jobs): Promise<void> {
  await queue.pause();
  const lists = await stage.valkey.keys(`${baseOf(queue)}:held:*`);
  expect(lists.length).toBe(1);
  expect(await stage.valkey.lmove(lists[0] ?? "", `${baseOf(queue)}:waiting`, "LEFT", "LEFT")).not.toBeNull();
}

const updates: Record<string, (queue: Jobs, id: string, data: string) => Promise<unknown>> = {
  "": (queue, id, data) => queue.update(id, { data }),
  " by a COMMIT": async (queue, id, data) => {
    const client = await stage.pool.connect();
    await client.query("BEGIN");
    const result = await queue.update(id, { data }, { tx: client });
    await client.query("COMMIT");
    client.release();
    return result;
  },
};

const cases = Object.keys(ways).flatMap((way) => Object.keys(updates).map((by) => [way, by] as const));

test.each(cases)(
  "a job that was updated once more has the effects of what is newest, where an attempt with what was new before %s%s",
  async (way, by) => {
    const queue: Jobs = stage.keyline().queue<string>(`q${queues++}`, options);
    const update = updates[by] ?? expect.unreachable();
    const { id } = await queue.add("first");
    await eventually("it is noted as delivered", () => isThere(id, "delivered_to IS NOT NULL"));
    expect(await update(queue, id, "old")).toMatchObject({ updated: true });
    const [begun, going] = [gate(), gate()];
    const ran: string[] = [];
    const worker = ways[way]?.(queue, {
      old: "old",
      begun: async (data) => {
        ran.push(data);
        if (data !== "old") return;
        begun.open();
        await going.opened;
      },
    });
    worker?.on("error", () => undefined);
    await begun.opened;
    await bringBack(queue);
    expect(await update(queue, id, "new")).toMatchObject({ updated: true });
    await queue.resume();
    going.open();
    await eventually("it has ended", async () => !(await isThere(id)));
    await worker?.stop();
    // Both elements may be there then: the relay brings one more.
    expect(ran.slice(0, 2)).toEqual(["old", "new"]);
    expect(await effects(queue)).toEqual(["new"]);
  },
  60_000,
);

test.each(Object.keys(updates))(
  "what a job returns that was updated once more%s is made of what is newest",
  async (by) => {
    const queue: Jobs = stage.keyline().queue<string>(`q${queues++}`, options);
    const update = updates[by] ?? expect.unreachable();
    const { id } = await queue.add("first");
    await eventually("it is noted as delivered", () => isThere(id, "delivered_to IS NOT NULL"));
    expect(await update(queue, id, "old")).toMatchObject({ updated: true });
    const [begun, going] = [gate(), gate()];
    const worker = queue.work(async ({ data }) => {
      if (data === "old") {
        begun.open();
        await going.opened;
      }
      return `made of ${data}`;
    });
    await begun.opened;
    await bringBack(queue);
    expect(await update(queue, id, "new")).toMatchObject({ updated: true });
    await queue.resume();
    going.open();
    expect(await queue.waitFor(id, { timeout: 30_000 })).toBe("made of new");
    await worker.stop();
  },
  60_000,
);

test("an attempt with what was new before does not wait for children", async () => {
  const keyline = stage.keyline();
  const queue: Jobs = keyline.queue<string>(`q${queues++}`, { ...options, maxAttempts: 2, backoff: () => 3_600_000 });
  const children = keyline.queue<string>(`q${queues++}`, { transactional: true });
  const [begun, going] = [gate(), gate()];
  const ran: string[] = [];
  const worker = queue.work(async (job, { settle, step }) => {
    ran.push(job.data);
    await step("add a child", (tx) => job.addChildren([{ queue: children, data: "nobody runs it" }], { tx }));
    if (job.data === "first") throw new Error("not yet");
    if (job.data === "old") {
      begun.open();
      await going.opened;
      await job.childrenEnded();
    }
    await settle((tx) => tx.query(write, [queue.name, job.data]));
  });
  worker.on("error", () => undefined);
  const { id } = await queue.add("first");
  await eventually("it waits for its next attempt", () => isThere(id, "state = 'scheduled' AND delivered_to IS NOT NULL"));
  expect(await queue.update(id, { data: "old", delay: 0 })).toMatchObject({ updated: true });
  await begun.opened;
  await bringBack(queue);
  expect(await queue.update(id, { data: "new" })).toMatchObject({ updated: true });
  await queue.resume();
  going.open();
  await eventually("it has ended", async () => !(await isThere(id)));
  await worker.stop();
  expect(ran.slice(0, 3)).toEqual(["first", "old", "new"]);
  expect(await effects(queue)).toEqual(["new"]);
}, 60_000);

test("where the element that waits again is one from before a try that failed, the job runs with what is newest", async () => {
  const queue: Jobs = stage.keyline().queue<string>(`q${queues++}`, { transactional: true, maxAttempts: 5, backoff: () => 1 });
  const { id } = await queue.add("first");
  await eventually("it is noted as delivered", () => isThere(id, "delivered_to IS NOT NULL"));
  expect(await queue.update(id, { data: "old" })).toMatchObject({ updated: true });
  const before = (await stage.valkey.lindex(`${baseOf(queue)}:waiting`, 0)) ?? "";
  const [begun, going] = [gate(), gate()];
  const ran: string[] = [];
  const worker = queue.work(async ({ data }, { settle }) => {
    ran.push(data);
    if (ran.length === 1) throw new Error("not yet");
    if (data === "old") {
      begun.open();
      await going.opened;
    }
    await settle((tx) => tx.query(write, [queue.name, data]));
  });
  worker.on("error", () => undefined);
  await begun.opened;
  await eventually("its second attempt is noted as delivered", () => isThere(id, "attempts = 1 AND delivered_to IS NOT NULL"));
  await queue.pause();
  for (const list of await stage.valkey.keys(`${baseOf(queue)}:held:*`)) await stage.valkey.del(list);
  await stage.valkey.lpush(`${baseOf(queue)}:waiting`, before);
  expect(await queue.update(id, { data: "new" })).toMatchObject({ updated: true });
  await queue.resume();
  going.open();
  await eventually("it has ended", async () => !(await isThere(id)));
  await worker.stop();
  expect(ran.slice(0, 3)).toEqual(["old", "old", "new"]);
  expect(await effects(queue)).toEqual(["new"]);
}, 60_000);
