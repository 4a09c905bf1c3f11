import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { lettersOf } from "../support/letters.ts";
import { eventually, openStage, type Stage } from "../support/stage.ts";
import { ill, openWard } from "../support/ward.ts";

let stage: Stage;
beforeAll(async () => {
  stage = await openStage();
  await stage.keyline().migrate();
});
afterAll(() => stage.close());

const five = [0, 1, 2, 3, 4].map((n) => ill(n));

describe.each([false, true])("dead letters (transactional: %s)", (transactional) => {
  test("beyond the number that is kept are dropped, oldest first, and counted; and in the end all that are too old", async () => {
    const ward = openWard(stage, { transactional, deadLetters: { maxLength: 3, maxAge: 4_000 } });
    const { queue } = ward;
    await ward.die(five);
    await eventually("two are dropped", async () => (await queue.counts()).dropped === 2);
    expect((await lettersOf(queue)).map(({ id }) => id)).toEqual(["job-4", "job-3", "job-2"]);
    expect((await queue.counts()).dead).toBe(3);
    await eventually("all are dropped", async () => (await queue.counts()).dropped === 5);
    expect(await lettersOf(queue)).toEqual([]);
    expect((await queue.counts()).dead).toBe(0);
    await ward.close();
  });

  test("many that are too old go page by page", async () => {
    const ward = openWard(stage, { transactional, deadLetters: { maxAge: 3_000 }, concurrency: 100 });
    const { queue } = ward;
    await queue.addMany(Array.from({ length: 1_200 }, (_, n) => ({ data: ill(n) })));
    await eventually("all are dead", () => ward.deaths() === 1_200);
    await eventually("all are dropped", async () => (await queue.counts()).dropped === 1_200);
    expect((await queue.counts()).dead).toBe(0);
    await ward.close();
  });
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
