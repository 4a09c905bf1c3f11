import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { lettersOf } from "../../support/letters.ts";
import { eventually, openStage, type Stage } from "../../support/stage.ts";
import { ill, openWard } from "../../support/ward.ts";

let stage: Stage;
beforeAll(async () => {
  stage = await openStage();
  await stage.keyline().migrate();
});
afterAll(() => stage.close());

const five = [0, 1, 2, 3, 4].map((n) => ill(n));

describe.each([false, true])("dead letters (transactional: %s)", (transactional) => {
  test("beyond the number that is kept are dropped, oldest first, and counted", async () => {
    // Looked for every six seconds; none of these is too old before this test gives up.
    const ward = openWard(stage, { transactional, deadLetters: { maxLength: 3, maxAge: 60_000 } });
    const { queue } = ward;
    await ward.die(five);
    await eventually("two are dropped", async () => (await queue.counts()).dropped === 2, 40_000);
    expect((await lettersOf(queue)).map(({ id }) => id)).toEqual(["job-4", "job-3", "job-2"]);
    expect((await queue.counts()).dead).toBe(3);
    await ward.close();
  }, 60_000);

  test("that are too old are dropped page by page, and counted", async () => {
    const ward = openWard(stage, { transactional, deadLetters: { maxAge: 2_000 }, concurrency: 100 });
    const { queue } = ward;
    await queue.addMany(Array.from({ length: 700 }, (_, n) => ({ data: ill(n) })));
    await eventually("all are dead", () => ward.deaths() === 700, 60_000);
    await eventually("all are dropped", async () => (await queue.counts()).dropped === 700, 60_000);
    expect((await queue.counts()).dead).toBe(0);
    expect(await lettersOf(queue)).toEqual([]);
    await ward.close();
  }, 130_000);
});

test("on a plain queue there are never more than are kept", async () => {
  const ward = openWard(stage, { transactional: false, deadLetters: { maxLength: 2 } });
  for (const one of five) {
    await ward.die([one]);
    expect((await ward.queue.counts()).dead).toBeLessThanOrEqual(2);
  }
  expect(await ward.queue.counts()).toMatchObject({ dead: 2, dropped: 3 });
  expect(await stage.valkey.hlen(`${stage.prefix}:{${ward.queue.name}}:dead:job`)).toBe(2);
  expect(await stage.valkey.hlen(`${stage.prefix}:{${ward.queue.name}}:dead:why`)).toBe(2);
  expect(await stage.valkey.zcard(`${stage.prefix}:{${ward.queue.name}}:dead:ids`)).toBe(2);
  await ward.close();
});
