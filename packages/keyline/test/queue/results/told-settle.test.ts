import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { silentLogger } from "../../../src/runtime/logger.ts";
import { ValkeyConnection } from "../../../src/valkey/client/connection.ts";
import { toTarget } from "../../../src/valkey/client/options.ts";
import { QueueKeys } from "../../../src/valkey/queue/keys.ts";
import { QueueStore } from "../../../src/valkey/queue/queue-store.ts";
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

describe("a job whose turn it is not, or whose end is refused", () => {
  let connection: ValkeyConnection;
  beforeAll(() => {
    connection = new ValkeyConnection(toTarget(stage.valkeyUrl), { logger: silentLogger, silenceMs: 5_000 });
  });
  afterAll(() => connection.close());

  const elementOf = (id: string): string => `{"id":"${id}","data":1}`;

  /** A worker that holds these jobs, the longest held first, and ends one of them. */
  async function hold(name: string, ids: readonly string[]) {
    const store = new QueueStore(connection, new QueueKeys(stage.prefix, name));
    const { keys, holding } = store;
    const held = keys.held("worker");
    await connection.ensureReady(5_000);
    if (ids.length > 0) await stage.valkey.rpush(held, ...ids.map(elementOf));
    await stage.valkey.lpush(keys.waiting, elementOf("next"));
    const end = (id: string) => {
      const tie = { kind: "result", value: `60000 completed ${id.length} ${id}7`, told: [id, "7", 60_000] } as const;
      const what = { finished: 1, take: 1, areOldest: true, ties: [[0, tie] as const], isGated: false };
      return holding.settleAndTake("worker", [{ place: 0, begins: `{"id":"${id}"` }], what);
    };
    return {
      keys,
      end,
      held: () => stage.valkey.lrange(held, 0, -1),
      kept: (id: string) => stage.valkey.get(keys.outcome(id)),
      told: () => stage.valkey.xlen(keys.ends),
    };
  }

  test("another job is held longest: nothing is done, and nothing is taken", async () => {
    const { end, held, kept, told, keys } = await hold("another", ["a", "b"]);
    await stage.valkey.zadd(keys.workers, 4e12, "worker");
    expect(await end("b")).toBe("moved");
    expect(await held()).toEqual(["a", "b"].map(elementOf));
    expect([await kept("b"), await told()]).toEqual([null, 0]);
    expect(await end("a")).toEqual({ missing: [], taken: [elementOf("next")] });
    expect(await held()).toEqual(["b", "next"].map(elementOf));
    expect([await kept("a"), await told()]).toEqual(['{"outcome":"completed","value":7}', 1]);
  });

  test.each([
    { what: "other jobs", ids: ["a"] },
    { what: "nothing", ids: [] },
  ])("the lease is lost, and what is held is $what: nothing is done", async ({ ids }) => {
    const { end, held, kept, told } = await hold(`lost-${ids.length}`, ids);
    expect(await end("b")).toBe("lost");
    expect(await held()).toEqual(ids.map(elementOf));
    expect([await kept("b"), await told()]).toEqual([null, 0]);
  });

  test("its end cannot be told: it is still held, longest of all, and ends when that can be", async () => {
    const { end, held, kept, keys } = await hold("refused", ["a", "b"]);
    await stage.valkey.set(keys.ends, "somebody else's");
    await expect(end("a")).rejects.toThrow("WRONGTYPE");
    expect(await held()).toEqual(["a", "b"].map(elementOf));
    await stage.valkey.del(keys.ends);
    expect(await end("a")).toEqual({ missing: [], taken: [elementOf("next")] });
    expect(await kept("a")).toBe('{"outcome":"completed","value":7}');
  });
});

test("a worker hands a job in again whose end was refused", async () => {
  const queue = stage.keyline().queue<number>("again", { keepResult: 60_000 });
  const ends = `${stage.prefix}:{again}:ends`;
  await stage.valkey.set(ends, "somebody else's");
  let runs = 0;
  const worker = queue.work(({ data }) => {
    runs++;
    return data;
  });
  const { id } = await queue.add(5);
  await eventually("it has run", () => runs === 1);
  await eventually("it is still held", async () => (await stage.valkey.keys(`${stage.prefix}:{again}:held:*`)).length === 1);
  await stage.valkey.del(ends);
  expect(await queue.waitFor(id, { timeout: 20_000 })).toBe(5);
  expect(runs).toBe(1);
  await worker.stop();
});
