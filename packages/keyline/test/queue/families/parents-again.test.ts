import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Snooze, type Queue } from "keyline";
import { eventually, gate, openStage, type Stage } from "../../support/stage.ts";

let stage: Stage;
beforeAll(async () => {
  stage = await openStage();
  await stage.keyline().migrate();
});
afterAll(() => stage.close());

let queues = 0;

/** What families have left on Valkey, but for what goes by itself. */
async function leftOf(...some: Queue<number>[]): Promise<string[]> {
  const keys = await stage.valkey.keys(`${stage.prefix}:{*}:famil*`);
  const own = keys.filter((key) => some.some(({ name }) => key.includes(`{${name}}`)));
  const stay = await Promise.all(own.map(async (key) => ((await stage.valkey.ttl(key)) < 0 ? [key] : [])));
  return stay.flat();
}

describe.each([{ transactional: false }, { transactional: true }])(
  "a job that has added children, and whose attempt has ended (transactional: $transactional)",
  ({ transactional }) => {
    // Both kinds have what is used here, but for the step.
    function open(): readonly [Queue<number, number, true>, Queue<number, number, true>] {
      const keyline = stage.keyline();
      const rules = { transactional, maxAttempts: 2, lease: 2_000, backoff: () => 60_000 } as unknown as { transactional: true };
      return [keyline.queue<number>(`again${queues++}`, rules), keyline.queue<number>(`again${queues++}`, rules)];
    }

    test.each([
      ["failed", () => new Error("not yet")],
      ["was put off", () => new Snooze(60_000)],
    ] as const)("as it %s, is cancelled with its children", async (_, why) => {
      const [parents, children] = open();
      const retried = gate();
      const worker = parents.work(async (job, { step }) => {
        const below = [1, 2].map((data) => ({ queue: children, data }));
        if (transactional) await step("split", (tx) => job.addChildren(below, { tx }));
        else await job.addChildren(below, { name: "split" });
        throw why();
      });
      worker.on("retried", retried.open);
      const { id } = await parents.add(0);
      await retried.opened;
      await eventually("its children wait", async () => (await children.counts()).waiting === 2);
      expect(await parents.cancel(id)).toBe("scheduled");
      await eventually("they do not any more", async () => (await children.counts()).waiting === 0);
      await worker.stop();
      await eventually("nothing is left", async () => (await leftOf(parents, children)).length === 0);
    });

    test("as its worker stops without waiting for it, is cancelled with its children", async () => {
      const [parents, children] = open();
      const below = [1, 2].map((data) => ({ queue: children, data }));
      const added = gate();
      const never = gate();
      const worker = parents.work(async (job, { step }) => {
        if (transactional) await step("split", (tx) => job.addChildren(below, { tx }));
        else await job.addChildren(below, { name: "split" });
        added.open();
        await never.opened;
      });
      const { id } = await parents.add(0);
      await added.opened;
      // Nobody has heard of its end.
      await Promise.all([worker.stop({ timeout: 0 }), eventually("it is given back", async () => (await parents.counts()).waiting === 1)]);
      expect(await parents.cancel(id)).toBe("waiting");
      await eventually("its children are gone", async () => (await children.counts()).waiting === 0);
      await eventually("nothing is left", async () => (await leftOf(parents, children)).length === 0);
      never.open();
    });
  },
);

test("of a parent on a plain queue that dies before it comes to its children again nothing stays for ever", async () => {
  const keyline = stage.keyline();
  const parents = keyline.queue<number>(`again${queues++}`, { maxAttempts: 2, backoff: () => 10 });
  const children = keyline.queue<number>(`again${queues++}`);
  const dead = gate();
  const worker = parents.work(async (job) => {
    if (job.attempt === 1) await job.addChildren([{ queue: children, data: 1 }], { name: "split" });
    throw new Error("not here");
  });
  worker.on("dead", dead.open);
  const { id } = await parents.add(0);
  await dead.opened;
  const childWorker = children.work(() => undefined);
  await eventually("what stays goes by itself", async () => (await leftOf(parents, children)).length === 0);
  expect(await parents.job(id)).toMatchObject({ state: "dead" });
  await Promise.all([worker.stop(), childWorker.stop()]);
});
