import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Keyline, Stream } from "keyline";
import { startProcess } from "../support/processes.ts";
import { eventually, openStage, type Stage } from "../support/stage.ts";

let stage: Stage;
beforeAll(async () => {
  stage = await openStage();
  await stage.keyline().migrate();
});
afterAll(() => stage.close());

describe.each([
  ["plain", false],
  ["transactional", true],
] as const)("rates of a %s stream", (kind, transactional) => {
  const open = (keyline: Keyline): Stream<string, string, boolean> =>
    transactional ? keyline.stream<string>(`${kind}-counted`, { transactional }) : keyline.stream<string>(`${kind}-counted`);

  test("count what is appended, consumed, tried in vain and dead, over all processes and groups", async () => {
    const [appending, consuming] = [stage.keyline(), stage.keyline()];
    const stream = open(appending);
    await stream.appendMany(["good", "good", "dies"]);
    await stream.append("good");
    const begin = { from: "-", maxAttempts: 2, backoff: { type: "fixed", delay: 1, jitter: 0 } } as const;
    const one = open(consuming).consume(
      "one",
      (entry) => {
        if (entry.data === "dies") throw new Error("never");
      },
      begin,
    );
    const other = open(consuming).consume("other", () => undefined, begin);
    await eventually("both are done", async () => {
      const groups = await stream.groups();
      return groups.length === 2 && groups.every(({ lag, pending }) => lag + pending === 0);
    });
    await Promise.all([one.stop(), other.stop()]);
    // What is counted is written down now.
    await Promise.all([appending.close(), consuming.close()]);
    const reading = open(stage.keyline());
    const { minutes, hours, total } = await reading.rates({ hours: 2 });
    expect(total).toEqual({ appended: 4, consumed: 7, failed: 2, dead: 1, leasesLost: 0, rescued: 0, overtaken: 0 });
    expect([minutes.length, hours.length]).toEqual([0, 2]);
    expect((await reading.rates()).minutes).toHaveLength(60);
    await expect(reading.rates({ minutes: 0 })).rejects.toMatchObject({ code: "INVALID_OPTION" });
  });
});

test.each([{ transactional: false }, { transactional: true }])(
  "tell of a consumer that stood still: it lost its lease, what it had was taken from it, and its attempt was in vain (%j)",
  async ({ transactional }) => {
    const keyline = stage.keyline();
    const name = `stood-still-${transactional}`;
    const lease = 600;
    const options = { valkey: stage.valkeyUrl, postgres: stage.databaseUrl, prefix: stage.prefix, stream: name, transactional, lease };
    const stalled = startProcess("stalling-consumer.ts", options);
    const stream = transactional ? keyline.stream<number>(name, { transactional }) : keyline.stream<number>(name);
    await stream.append(1);
    await eventually("it has begun", () => stalled.lines.some((line) => line["started"] === 1));
    stalled.signal("SIGSTOP");
    const consumer = stream.consume("g", () => undefined, { lease });
    await eventually("it is consumed here", async () => (await stream.groups()).every(({ lag, pending }) => lag + pending === 0));
    stalled.signal("SIGCONT");
    // Of all processes, and once, whichever handles of the stream there are.
    const all = { appended: 1, consumed: 1, failed: 0, dead: 0, leasesLost: 1, rescued: 1, overtaken: 1 };
    const other = (await keyline.directory.streams()).find((one) => one.name === name)?.open();
    await eventually("it is in the rates", async () => {
      const total = new Map(Object.entries((await (other ?? stream).rates()).total));
      return Object.entries(all).every(([what, count]) => total.get(what) === count);
    });
    await consumer.stop();
    stalled.signal("SIGKILL");
    await stalled.exited;
  },
);

test("what is appended within a transaction counts once that is committed, and not otherwise", async () => {
  const keyline = stage.keyline();
  const stream = keyline.stream<number>("within", { transactional: true });
  await keyline.transaction(async (tx) => {
    await stream.append(1, { tx });
    await stream.appendMany([2, 3], { tx });
  });
  await expect(
    keyline.transaction(async (tx) => {
      await stream.append(4, { tx });
      throw new Error("rolled back");
    }),
  ).rejects.toThrow("rolled back");
  await keyline.close();
  expect((await stage.keyline().stream("within").rates()).total.appended).toBe(3);
});
