import { Snooze, type Queue } from "keyline";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { eventually, openStage, type Stage } from "../../support/stage.ts";

let stage: Stage;

beforeAll(async () => {
  stage = await openStage();
  await stage.keyline().migrate();
});

afterAll(() => stage.close());

describe.each([{ transactional: false }, { transactional: true }])("promote (transactional: $transactional)", ({ transactional }) => {
  const open = (name: string): Queue<number> =>
    stage.keyline().queue<number>(`${name}-${transactional}`, { transactional, backoff: () => 60_000 } as { transactional: false });

  test("runs a job now that was to run later, and one that waits for its next attempt", async () => {
    const queue = open("later");
    const ran: string[] = [];
    const worker = queue.work(({ data, attempt }) => {
      ran.push(`${data}/${attempt}`);
      if (data === 2 && ran.length === 1) throw new Snooze(60_000);
    });
    const { id: snoozed } = await queue.add(2);
    await eventually("it sleeps", async () => (await queue.counts()).scheduled === 1);
    const { id } = await queue.add(1, { delay: 60_000 });
    await eventually("both are scheduled", async () => (await queue.counts()).scheduled === 2);
    expect(await queue.promote(id)).toBe(true);
    await eventually("it ran", () => ran.length === 2);
    expect(await queue.promote(snoozed)).toBe(true);
    await eventually("the other one ran", () => ran.length === 3);
    expect(ran).toEqual(["2/1", "1/1", "2/1"]);
    await worker.stop();
    expect(await queue.counts()).toMatchObject({ scheduled: 0, waiting: 0, running: 0 });
  });

  test("says no for what is not scheduled", async () => {
    const queue = open("others");
    const { id } = await queue.add(1);
    expect(await queue.promote(id)).toBe(false);
    expect(await queue.promote("never")).toBe(false);
    await expect(queue.promote("a b")).rejects.toMatchObject({ code: "INVALID_ID" });
  });

  test("of a job in its group's line takes its own time away, and not its turn", async () => {
    const queue = open("grouped");
    await queue.add(1, { group: "g" });
    const { id } = await queue.add(2, { group: "g", delay: 60_000 });
    await eventually("both are there", async () => (await queue.counts()).blocked === 1);
    expect(await queue.promote(id)).toBe(true);
    const ran: number[] = [];
    const worker = queue.work(({ data }) => void ran.push(data));
    await eventually("both ran", () => ran.length === 2);
    expect(ran).toEqual([1, 2]);
    await worker.stop();
  });
});

test("a promoted row that is not on Valkey goes there", async () => {
  const queue = stage.keyline().queue<number>("lost", { transactional: true });
  const { id } = await queue.add(1, { delay: 60_000 });
  await eventually("it is there", async () => (await queue.counts()).scheduled === 1);
  await stage.valkey.del(`${stage.prefix}:{lost}:scheduled`);
  expect(await queue.promote(id)).toBe(true);
  const ran: number[] = [];
  const worker = queue.work(({ data }) => void ran.push(data));
  await eventually("it ran", () => ran.length === 1);
  await worker.stop();
});
