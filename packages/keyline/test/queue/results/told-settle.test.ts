import { afterAll, beforeAll, expect, test } from "vitest";
import { eventually, openStage, type Stage } from "../../support/stage.ts";

let stage: Stage;
beforeAll(async () => void (stage = await openStage()));
afterAll(() => stage.close());

const hour = 3_600_000;

// The worker of the queue ends its jobs one by one: it remembers the millisecond of the stream of ends.
function open(name: string): {
  ask: (n: number) => Promise<unknown>;
  entries: () => Promise<string[]>;
  ends: string;
  stop: () => Promise<void>;
} {
  const queue = stage.keyline().queue<number>(name, { keepResult: 60_000 });
  const worker = stage
    .keyline()
    .queue<number>(name, { keepResult: 60_000 })
    .work(({ data }) => data);
  const ends = `${stage.prefix}:{${name}}:ends`;
  return {
    ends,
    ask: async (n) => queue.waitFor((await queue.add(n)).id, { timeout: 20_000 }),
    entries: async () => (await stage.valkey.xrange(ends, "-", "+")).map(([id]) => id),
    stop: () => worker.stop(),
  };
}

const partsOf = (entry: string | undefined): number[] => (entry ?? "").split("-").map(Number);

test("all ends have the millisecond of the first one, whoever tells them", async () => {
  const { ask, entries, stop } = open("one-millisecond");
  for (let n = 0; n < 5; n++) expect(await ask(n)).toBe(n);
  const ids = await entries();
  const [first = 0] = partsOf(ids[0]);
  // The one in front is where the wait began.
  expect(ids).toEqual([0, 1, 2, 3, 4, 5].map((number) => `${first}-${number}`));
  await stop();
});

test.each([
  { what: "is gone", put: undefined },
  { what: "is one of a memory with a later clock", put: hour },
  { what: "is one of a memory whose clock was behind", put: -hour },
])("a stream that $what is told to those who wait, and goes on one after the other", async ({ put }) => {
  const { ask, entries, ends, stop } = open(`other-memory-${put}`);
  expect(await ask(0)).toBe(0);
  const [known = 0] = partsOf((await entries())[0]);
  await stage.valkey.del(ends);
  if (put !== undefined) await stage.valkey.xadd(ends, `${known + put}-0`, "id", "");
  for (let n = 1; n < 4; n++) expect(await ask(n)).toBe(n);
  const parts = (await entries()).map(partsOf);
  const [[from = 0, place = 0] = []] = parts;
  expect(parts).toEqual(parts.map((_, index) => [from, place + index]));
  expect(parts.length).toBeGreaterThanOrEqual(3);
  expect(await stage.valkey.pttl(ends)).toBeGreaterThan(hour - 60_000);
  await stop();
});

test("the stream lives on for an hour behind the first end that a worker tells", async () => {
  const { ask, ends, stop } = open("lives-on");
  const other = open("lives-on");
  expect(await ask(0)).toBe(0);
  await stop();
  await other.stop();
  await stage.valkey.pexpire(ends, 50_000);
  const third = open("lives-on");
  expect(await third.ask(1)).toBe(1);
  await eventually("it lives on", async () => (await stage.valkey.pttl(ends)) > hour - 60_000);
  await third.stop();
});
