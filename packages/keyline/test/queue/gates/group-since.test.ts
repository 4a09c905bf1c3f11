import type { Job, QueueGroupStatus } from "keyline";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { collected } from "../../support/collected.ts";
import { openEither } from "../../support/either-queue.ts";
import { serverTime } from "../../support/schedule-stage.ts";
import { eventually, gate, openStage, type Stage } from "../../support/stage.ts";

let stage: Stage;
beforeAll(async () => {
  stage = await openStage();
  await stage.keyline().migrate();
});
afterAll(() => stage.close());

const now = (): Promise<number> => serverTime(stage, false);

describe.each([{ transactional: false }, { transactional: true }])("a group (transactional: $transactional)", ({ transactional }) => {
  test("says since when the job has had its turn that the others wait for", async () => {
    const queue = openEither<number>(stage.keyline(), `since-${transactional}`, { transactional });
    const held = [gate(), gate()];
    const status = async (): Promise<QueueGroupStatus | undefined> => (await collected(queue.groups()))[0];
    const before = await now();
    const added = [];
    for (let data = 0; data < 3; data++) added.push(await queue.add(data, { group: "g" }));
    await eventually("two wait", async () => (await queue.counts()).blocked === 2);
    const after = await now();
    const first = await status();
    expect(first).toMatchObject({ name: "g", state: "blocked", waiting: 2, blockedBy: added[0]?.id });
    expect(first?.since).toBeGreaterThanOrEqual(before);
    expect(first?.since).toBeLessThanOrEqual(after);
    const begun: number[] = [];
    const worker = queue.work(async ({ data }: Job<number>) => {
      begun.push(data);
      await held[data]?.opened;
    });
    await eventually("the first one runs", () => begun.length === 1);
    // It had its turn when it was added, whenever it began.
    expect(await status()).toEqual(first);
    const ended = await now();
    held[0]?.open();
    await eventually("the second one runs", () => begun.length === 2);
    const second = await status();
    expect(second).toMatchObject({ state: "blocked", waiting: 1, blockedBy: added[1]?.id });
    expect(second?.since).toBeGreaterThanOrEqual(ended);
    expect(second?.since).toBeLessThanOrEqual(await now());
    held[1]?.open();
    await eventually("nothing is left", async () => (await status()) === undefined);
    await worker.stop();
  });
});
