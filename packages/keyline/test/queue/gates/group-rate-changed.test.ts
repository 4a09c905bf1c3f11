import type { Job } from "keyline";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openEither } from "../../support/either-queue.ts";
import { eventually, openStage, type Stage } from "../../support/stage.ts";

let stage: Stage;
beforeAll(async () => {
  stage = await openStage();
  await stage.keyline().migrate();
});
afterAll(() => stage.close());

const hour = 3_600_000;
const groups = ["a", "b"];

describe.each([{ transactional: false }, { transactional: true }])("the rate of groups (transactional: $transactional)", (how) => {
  test("that is changed or taken away is in force for jobs that rest because of it, and for no others that are scheduled", async () => {
    const queue = openEither<number>(stage.keyline(), `changed-${how.transactional}`, how);
    await queue.setLimits({ group: { rate: { max: 1, per: hour } } });
    const ran = new Map<string, number[]>(groups.map((group) => [group, []]));
    const worker = queue.work(({ data, group = "" }: Job<number>) => void ran.get(group)?.push(data), { concurrency: 5 });
    await queue.add(0, { group: "later", delay: hour });
    for (const group of groups) await queue.addMany(Array.from({ length: 5 }, (_, data) => ({ data, group })));
    const counted = async (count: number): Promise<void> => {
      const expected = Array.from({ length: count }, (_, data) => data);
      await eventually(`${count} of each have run`, () => groups.every((group) => ran.get(group)?.length === count));
      // The next one of each has its turn, and rests.
      const resting = count < 5 ? groups.length : 0;
      await eventually("the others rest", async () => (await queue.counts()).scheduled === 1 + resting);
      for (const group of groups) expect(ran.get(group)).toEqual(expected);
    };
    await counted(1);
    await queue.setLimits({ group: { rate: { max: 3, per: hour } } });
    await counted(3);
    await queue.setLimits({ group: { rate: { max: 4, per: 2 * hour } } });
    await counted(4);
    await queue.setLimits({ group: { rate: null } });
    await counted(5);
    await worker.stop();
    expect(await queue.counts()).toMatchObject({ waiting: 0, scheduled: 1, blocked: 0, running: 0 });
  });
});
