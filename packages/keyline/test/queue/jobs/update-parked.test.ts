import { afterAll, beforeAll, expect, test } from "vitest";
import type { Keyline, Queue } from "keyline";
import { eventually, gate, openStage, type Stage } from "../../support/stage.ts";
import { startWireProxy, targetOf } from "../../support/wire-proxy.ts";

let stage: Stage;
let keyline: Keyline;
beforeAll(async () => {
  stage = await openStage();
  keyline = stage.keyline();
  await keyline.migrate();
});
afterAll(() => stage.close());

const changes = [{ data: "new" }, { delay: 0 }, { runAt: 0 }, { priority: "high" }] as const;
const parked = (queue: Queue<string> | Queue<string, string, true>): Promise<void> =>
  eventually("it is parked", async () => (await queue.counts()).parked === 1);

test.each(["sleeps", "waits for a signal", "waits for children that it has added", "waits for children that it was added with"])(
  "a job of a transactional queue that %s stays as it was",
  async (what) => {
    const queue = keyline.queue<string>(`q-${what.replaceAll(" ", "-")}`, { transactional: true });
    const children = keyline.queue<string>(`c-${what.replaceAll(" ", "-")}`, { transactional: true });
    const ran: string[] = [];
    const below = [{ queue: children, data: "child" }];
    const worker = queue.work(async (job, { step }) => {
      if (what === "sleeps") await job.sleep("nap", 1_500);
      else if (what.endsWith("signal")) await job.signalled("go");
      else if (what.endsWith("has added")) {
        await step("split", (tx) => job.addChildren(below, { tx }));
        await job.childrenEnded();
      }
      ran.push(job.data);
    });
    const { id } = await queue.add("old", what.endsWith("added with") ? { children: below } : {});
    await parked(queue);
    for (const change of changes) expect(await queue.update(id, change)).toEqual({ updated: false, state: "parked" });
    expect(await queue.promote(id)).toBe(false);
    await keyline.transaction(async (tx) => {
      for (const change of changes) expect(await queue.update(id, change, { tx })).toEqual({ updated: false, state: "parked" });
      expect(await queue.promote(id, { tx })).toBe(false);
    });
    expect(await queue.job(id)).toMatchObject({ state: "parked", data: "old" });
    const childWorker = children.work(() => undefined);
    await queue.signal(id, "go");
    await eventually("it went on", () => ran.length === 1);
    expect(ran).toEqual(["old"]);
    await Promise.all([worker.stop(), childWorker.stop()]);
  },
);

test.each(["has added", "was added with"])("a job of a plain queue that waits for children that it %s stays as it was", async (what) => {
  const name = what.replaceAll(" ", "-");
  const [queue, children] = [keyline.queue<string>(`plain-${name}`), keyline.queue<string>(`plain-c-${name}`)];
  const ran: string[] = [];
  const below = [{ queue: children, data: "child" }];
  const worker = queue.work(async (job) => {
    if (what === "has added") {
      await job.addChildren(below, { name: "split" });
      await job.childrenEnded();
    }
    ran.push(job.data);
  });
  const { id } = await queue.add("old", what === "has added" ? {} : { children: below });
  await parked(queue);
  for (const change of changes) expect(await queue.update(id, change)).toEqual({ updated: false, state: "parked" });
  expect(await queue.promote(id)).toBe(false);
  const childWorker = children.work(() => undefined);
  await eventually("it went on", () => ran.length === 1);
  expect(ran).toEqual(["old"]);
  await Promise.all([worker.stop(), childWorker.stop()]);
});

test("a job whose worker has parked its row and still holds its element is parked", async () => {
  const proxy = await startWireProxy({ target: targetOf(stage.valkeyUrl) });
  const away = stage.keyline({ valkey: `valkey://127.0.0.1:${proxy.port}` });
  const late = gate();
  const worker = away.queue<string>("held", { transactional: true }).work(async (job) => {
    proxy.holdRequest(() => true, late.opened);
    await job.signalled("go");
  });
  const queue = keyline.queue<string>("held", { transactional: true });
  const { id } = await queue.add("old");
  await parked(queue);
  expect(await stage.valkey.keys(`${stage.prefix}:{held}:held:*`)).toHaveLength(1);
  expect(await queue.job(id)).toMatchObject({ state: "parked", data: "old" });
  expect(await queue.update(id, { data: "new" })).toEqual({ updated: false, state: "parked" });
  late.open();
  proxy.passAll();
  await queue.signal(id, "go");
  await eventually("it went on", async () => (await queue.job(id)) === undefined);
  await worker.stop();
  await proxy.stop();
});
