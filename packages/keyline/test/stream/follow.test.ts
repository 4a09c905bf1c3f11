import type { Entry, StreamGap } from "keyline";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { startValkey } from "@keyline/embedded";
import { eventually, openQuietStage, openStage, type Stage } from "../support/stage.ts";

let stage: Stage;

beforeAll(async () => {
  stage = await openStage();
});

afterAll(() => stage.close());

async function take<Data>(entries: AsyncIterable<Entry<Data>>, count: number): Promise<Data[]> {
  const taken: Data[] = [];
  for await (const entry of entries) {
    taken.push(entry.data);
    if (taken.length === count) break;
  }
  return taken;
}

function upTo(count: number, from = 0): number[] {
  return Array.from({ length: count - from }, (_, index) => from + index);
}

/** A stage whose Valkey nobody else asks. */
async function openQuiet(): Promise<Stage> {
  const own = await openQuietStage();
  onTestFinished(() => own.close());
  return own;
}

describe("follow", () => {
  test("reads history, then what is appended, without a gap or a duplicate, while others append", async () => {
    const writer = stage.keyline().stream<number>("seam");
    const reader = stage.keyline().stream<number>("seam");
    const total = 5_000;
    const appending = (async () => {
      for (let n = 0; n < total; n += 50) await Promise.all(Array.from({ length: 50 }, (_, index) => writer.append(n + index)));
    })();
    const followers = Array.from({ length: 20 }, async (_, index) => {
      await eventually("some are there", async () => (await stage.valkey.xlen(`${stage.prefix}:{seam}:events`)) > index * 200);
      return take(reader.follow({ after: "-" }), total);
    });
    for (const taken of await Promise.all(followers)) expect(taken).toEqual(upTo(total));
    await appending;
  });

  test("goes on behind an id, a time, or from now on", async () => {
    const stream = stage.keyline().stream<number>("places");
    const ids = (await stream.appendMany(upTo(10))).map((result) => result.id);
    expect(await take(stream.follow({ after: ids[6] ?? "" }), 3)).toEqual([7, 8, 9]);
    const fromNow = take(stream.follow(), 2);
    const future = take(stream.follow({ after: Date.now() + 300 }), 1);
    await new Promise((resolve) => setTimeout(resolve, 350));
    await stream.append(10);
    await stream.append(11);
    expect(await future).toEqual([10]);
    expect(await fromNow).toEqual([10, 11]);
    expect(() => stream.follow({ after: "x" })).toThrow(expect.objectContaining({ code: "INVALID_ID" }));
    expect(() => stream.follow({ since: "x" } as never)).toThrow(expect.objectContaining({ code: "INVALID_OPTION" }));
  });

  test("needs one blocking connection a process, whatever it follows, and a stream that joins is heard at once", async () => {
    const keyline = stage.keyline();
    const before = await clients();
    const stop = new AbortController();
    const heard = upTo(30).map((n) => take(keyline.stream<number>(`one-of-${n % 3}`).follow({ after: "-", signal: stop.signal }), 1));
    await eventually("all wait", async () => (await clients()) === before + 1);
    const late = take(keyline.stream<number>("late").follow({ after: "-" }), 1);
    const begun = performance.now();
    await keyline.stream<number>("late").append(7);
    expect(await late).toEqual([7]);
    // Long before the block time of eight seconds is over.
    expect(performance.now() - begun).toBeLessThan(4_000);
    expect(await clients()).toBe(before + 1);
    stop.abort();
    expect((await Promise.all(heard)).every((taken) => taken.length === 0)).toBe(true);
  });

  test("reads no page before it is asked for it", async () => {
    const own = await openQuiet();
    const stream = own.keyline().stream<number>("slow");
    await stream.appendMany(upTo(2_000));
    const iterator = stream.follow({ after: "-" })[Symbol.asyncIterator]();
    await iterator.next();
    const reads = async (): Promise<number> => Number(/cmdstat_xrange:calls=(\d+)/.exec(await own.valkey.info("commandstats"))?.[1] ?? 0);
    const before = await reads();
    for (let n = 1; n < 500; n++) await iterator.next();
    expect(await reads()).toBe(before);
    await iterator.return?.();
  });

  test.each([false, true])(
    "holds a page of a mebibyte at the most, however large entries are (transactional: %s)",
    async (transactional) => {
      const own = await openQuiet();
      const keyline = own.keyline();
      await keyline.migrate();
      type Large = readonly [number, string];
      const stream = transactional ? keyline.stream<Large>("large", { transactional }) : keyline.stream<Large>("large");
      const text = "x".repeat(50_000);
      for (let n = 0; n < 200; n += 20) await stream.appendMany(upTo(n + 20, n).map((one) => [one, text] as const));
      const sent = async (): Promise<number> => Number(/total_net_output_bytes:(\d+)/.exec(await own.valkey.info("stats"))?.[1] ?? 0);
      const before = await sent();
      const iterator = stream.follow({ after: "-" })[Symbol.asyncIterator]();
      const seen: unknown[] = [(await iterator.next()).value?.data[0]];
      expect((await sent()) - before).toBeLessThan(2_000_000);
      while (seen.length < 200) seen.push((await iterator.next()).value?.data[0]);
      expect(seen).toEqual(upTo(200));
      await iterator.return?.();
    },
  );

  test("ends when its signal is aborted, or the Keyline is closed", async () => {
    const keyline = stage.keyline();
    const stream = keyline.stream<number>("ending");
    const stop = new AbortController();
    const one = take(stream.follow({ signal: stop.signal }), 1);
    const two = take(stream.follow({ after: "-" }), 1);
    await new Promise((resolve) => setTimeout(resolve, 50));
    stop.abort();
    expect(await one).toEqual([]);
    await keyline.close();
    expect(await two).toEqual([]);
  });
});

describe("what cannot be had any more", () => {
  test("is announced when retention dropped it, and thrown without onGap", async () => {
    const stream = stage.keyline().stream<number>("dropped", { retention: { maxLength: 5 } });
    const ids = (await stream.appendMany(upTo(20))).map((result) => result.id);
    await eventually("it is trimmed", async () => (await stage.valkey.xlen(`${stage.prefix}:{dropped}:events`)) === 5);
    const gaps: StreamGap[] = [];
    expect(await take(stream.follow({ after: ids[3] ?? "", onGap: (gap) => gaps.push(gap) }), 5)).toEqual([15, 16, 17, 18, 19]);
    expect(gaps).toEqual([{ stream: "dropped", reason: "trimmed", after: ids[3], until: ids[14] }]);
    await expect(take(stream.follow({ after: ids[3] ?? "" }), 1)).rejects.toMatchObject({ code: "GAP" });
    // Whose place is the last dropped one has missed nothing.
    expect(await take(stream.follow({ after: ids[14] ?? "" }), 5)).toEqual([15, 16, 17, 18, 19]);
    expect(await take(stream.follow({ after: "-" }), 5)).toEqual([15, 16, 17, 18, 19]);
  });

  test("is announced to who was reading when Valkey lost everything, and to who comes back later", async () => {
    const valkey = await startValkey();
    const own = await openStage({ valkeyUrl: valkey.url });
    try {
      const stream = own.keyline().stream<number>("flushed");
      const ids = (await stream.appendMany(upTo(10))).map((result) => result.id);
      const gaps: StreamGap[] = [];
      const taken: number[] = [];
      const following = (async () => {
        for await (const entry of stream.follow({ after: ids[4] ?? "", onGap: (gap) => gaps.push(gap) })) {
          taken.push(entry.data);
          if (entry.data === 101) return;
        }
      })();
      await eventually("it is up to date", () => taken.length === 5);
      await own.valkey.flushall();
      await stream.appendMany([100, 101]);
      await following;
      expect(taken).toEqual([5, 6, 7, 8, 9, 100, 101]);
      expect(gaps).toEqual([{ stream: "flushed", reason: "lost", after: ids[9], until: "0-0" }]);
      await expect(take(stream.follow({ after: ids[9] ?? "" }), 1)).rejects.toMatchObject({ code: "GAP" });
    } finally {
      await own.close();
      await valkey.stop();
    }
  });

  test("goes on by itself after the connection broke", async () => {
    const own = await openQuiet();
    const stream = own.keyline().stream<number>("broken");
    const taken: number[] = [];
    const stop = new AbortController();
    const following = (async () => {
      for await (const entry of stream.follow({ after: "-", signal: stop.signal })) taken.push(entry.data);
    })();
    for (let n = 0; n < 5; n++) {
      await own.keyline().stream<number>("broken").append(n);
      await own.valkey.call("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes");
    }
    await eventually("all are there", () => taken.length === 5);
    expect(taken).toEqual(upTo(5));
    stop.abort();
    await following;
  });
});

async function clients(): Promise<number> {
  const list = String(await stage.valkey.client("LIST"));
  return list.split("\n").filter((line) => / cmd=xread /.test(line) && / flags=\w*b/.test(line)).length;
}
