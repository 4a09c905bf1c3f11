import { afterAll, beforeAll, expect, test } from "vitest";
import { eventually, gate, openStage, type Stage } from "../../support/stage.ts";

let stage: Stage;
beforeAll(async () => {
  stage = await openStage();
  await stage.keyline().migrate();
});
afterAll(() => stage.close());

test("what waits below a cancelled parent is cancelled while its siblings run, also where no process has all of their queues", async () => {
  const rules = { transactional: true } as const;
  const adder = stage.keyline();
  const [one, other] = [stage.keyline(), stage.keyline()];
  const [parents, running] = [one.queue<number>("parents", rules), one.queue<number>("running", rules)];
  const waiting = other.queue<number>("waiting", rules);
  const { id } = await adder.queue<number>("parents", rules).add(0, {
    children: [
      { queue: adder.queue<number>("running", rules), data: 1 },
      { queue: adder.queue<number>("waiting", rules), data: 2, options: { id: "waits" } },
    ],
  });
  await adder.close();
  const [begun, goOn] = [gate(), gate()];
  const worker = running.work(async () => {
    begun.open();
    await goOn.opened;
  });
  await begun.opened;
  expect(await parents.cancel(id)).toBe("scheduled");
  await eventually("what waits is cancelled", async () => (await waiting.counts()).waiting === 0);
  await expect(waiting.waitFor("waits", { timeout: 20_000 })).rejects.toMatchObject({ code: "JOB_CANCELLED" });
  expect(await running.counts()).toMatchObject({ running: 1 });
  goOn.open();
  await eventually("nothing is left", async () => (await stage.pool.query("SELECT FROM keyline.family")).rowCount === 0);
  await worker.stop();
});
