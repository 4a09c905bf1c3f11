import { type EmbeddedValkey, startValkey } from "@keyline/embedded";
import { setImmediate } from "node:timers/promises";
import type { Gap } from "keyline";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { eventually, gate, openStage, type Stage } from "../support/stage.ts";

let stage: Stage;
beforeAll(async () => {
  stage = await openStage();
});
afterAll(() => stage.close());

describe("a receiver that is slow", () => {
  test("is closed by default, after what its buffer held, and resumes by its cursor", async () => {
    const channel = stage.keyline().channel<number>("close", { history: {} });
    const subscription = channel.subscribe({ buffer: 3 });
    await subscription.ready;
    for (let number = 0; number < 6; number++) await channel.publish(number);
    const error = await subscription.closed;
    expect(error).toMatchObject({ code: "SLOW_RECEIVER" });
    const got: number[] = [];
    await expect(
      (async () => {
        for await (const message of subscription) got.push(message.data);
      })(),
    ).rejects.toMatchObject({ code: "SLOW_RECEIVER" });
    expect(got).toEqual([0, 1, 2]);
    for await (const message of channel.subscribe({ since: subscription.cursor })) {
      got.push(message.data);
      if (message.data === 5) break;
    }
    expect(got).toEqual([0, 1, 2, 3, 4, 5]);
  });

  test("and is left then hands over nothing more, neither what its buffer held nor the error", async () => {
    const channel = stage.keyline().channel<number>("left");
    const iterated = channel.subscribe({ buffer: 1 });
    await iterated.ready;
    const first = gate();
    const heard: number[] = [];
    const listening = channel.subscribe(
      async ({ data }) => {
        heard.push(data);
        await first.opened;
      },
      { buffer: 1 },
    );
    await listening.ready;
    for (let number = 0; number < 4; number++) await channel.publish(number);
    expect(await iterated.closed).toMatchObject({ code: "SLOW_RECEIVER" });
    const iterator = iterated[Symbol.asyncIterator]();
    expect(await iterator.return?.()).toEqual({ done: true, value: undefined });
    expect(await iterator.next()).toEqual({ done: true, value: undefined });
    await expect(listening.ready).resolves.toBeUndefined();
    await listening.close();
    first.open();
    expect(await listening.closed).toMatchObject({ code: "SLOW_RECEIVER" });
    expect(heard).toEqual([0]);
  });

  test("drops the oldest when told to, and is told how many", async () => {
    const channel = stage.keyline().channel<number>("drop");
    const told: (number | Gap)[] = [];
    const subscription = channel.subscribe({ buffer: 3, whenFull: "drop-oldest", onGap: (gap) => told.push(gap) });
    await subscription.ready;
    for (let number = 0; number < 10; number++) await channel.publish(number);
    const end = channel.subscribe();
    await end.ready;
    await channel.publish(10);
    for await (const message of end) if (message.data === 10) break;
    for await (const message of subscription) {
      told.push(message.data);
      if (message.data === 10) break;
    }
    expect(told).toEqual([{ channel: "drop", reason: "dropped", missed: 8, cursor: undefined }, 8, 9, 10]);
  });

  test("keeps the latest of each key when told to", async () => {
    const channel = stage.keyline().channel<{ city: string; degrees: number }>("latest");
    const first = gate();
    const got: string[] = [];
    const gaps: Gap[] = [];
    const subscription = channel.subscribe(
      async ({ data }) => {
        got.push(`${data.city} ${data.degrees}`);
        await first.opened;
      },
      { whenFull: "latest", key: ({ data }) => (data as { city: string }).city, onGap: (gap) => gaps.push(gap) },
    );
    let arrived = 0;
    const counting = channel.subscribe(() => void arrived++);
    await Promise.all([subscription.ready, counting.ready]);
    for (let degrees = 0; degrees < 50; degrees++) {
      for (const city of ["oslo", "lima"]) await channel.publish({ city, degrees });
    }
    await eventually("all have arrived", () => arrived === 100);
    first.open();
    await eventually("it has caught up", () => got.length === 3);
    expect(got).toEqual(["oslo 0", "oslo 49", "lima 49"]);
    expect(gaps).toEqual([]);
    await Promise.all([subscription.close(), counting.close()]);
  });

  test("hands what waits to its listener before it says that it is closed, so that resuming doubles nothing", async () => {
    const channel = stage.keyline().channel<number>("handed", { history: {} });
    const got: number[] = [];
    const first = gate();
    const subscription = channel.subscribe(
      async (message) => {
        got.push(message.data);
        await first.opened;
      },
      { buffer: 2 },
    );
    await subscription.ready;
    for (let number = 0; number < 8; number++) await channel.publish(number);
    setTimeout(() => first.open(), 100);
    expect(await subscription.closed).toMatchObject({ code: "SLOW_RECEIVER" });
    for await (const message of channel.subscribe({ since: subscription.cursor })) {
      got.push(message.data);
      if (message.data === 7) break;
    }
    expect(got).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
  });

  test("a function of it that throws, or rejects, disturbs nobody", async () => {
    const channel = stage.keyline().channel<number>("throwing", { history: {} });
    const got: number[] = [];
    const bad = channel.subscribe(() => Promise.reject(new Error("listener")), {
      whenFull: "latest",
      key: () => {
        throw new Error("key");
      },
    });
    const good = channel.subscribe((message) => void got.push(message.data), {
      onGap: (): unknown => Promise.reject(new Error("gap")),
    });
    await Promise.all([bad.ready, good.ready]);
    await stage.valkey.del(`${stage.prefix}:{throwing}:history-state`);
    for (let number = 0; number < 5; number++) await channel.publish(number);
    await eventually("all came", () => got.length === 5);
    await Promise.all([bad.close(), good.close()]);
  });

  test("has a place to resume from at any time: also before the first message, and after one of a foreign writer", async () => {
    const channel = stage.keyline().channel<number>("place", { history: {} });
    const empty = channel.subscribe({ since: "earliest" });
    await empty.ready;
    const { cursor } = empty;
    expect(cursor).toMatch(/\.0\.0-0$/);
    await stage.valkey.publish(`${stage.prefix}:{place}:live`, '{"data":-1}');
    await stage.valkey.publish(`${stage.prefix}:{place}:live`, '{"data":-2,"cursor":"page-2"}');
    await channel.publish(1);
    const seen: number[] = [];
    for await (const message of empty) {
      seen.push(message.data);
      if (seen.length === 2) expect(empty.cursor).toBe(cursor);
      if (message.data === 1) break;
    }
    expect(seen).toEqual([-1, -2, 1]);
    for await (const message of channel.subscribe({ since: cursor })) {
      expect(message.data).toBe(1);
      break;
    }
  });

  test("follows messages that are too large for memory", async () => {
    const publisher = stage.keyline().channel<string>("large", { history: { size: 30 } });
    const channel = stage.keyline().channel<string>("large", { history: { size: 30 } });
    const { cursor } = await publisher.publish("first");
    const follow = (): number[] => {
      const got: number[] = [];
      channel.subscribe((message) => void got.push(message.data.length), { since: cursor });
      return got;
    };
    const early = follow();
    for (let times = 0; times < 12; times++) await publisher.publish("x".repeat(600_000 + times));
    const late = follow();
    for (let times = 12; times < 20; times++) await publisher.publish("x".repeat(600_000 + times));
    const expected = Array.from({ length: 20 }, (_, index) => 600_000 + index);
    await eventually("both have all", () => early.length >= 20 && late.length >= 20);
    expect(early).toEqual(expected);
    expect(late).toEqual(expected);
  });

  test("does not slow the others", async () => {
    const channel = stage.keyline().channel<number>("neighbours");
    const never = gate();
    const slow = channel.subscribe(() => never.opened, { buffer: 10, whenFull: "drop-oldest" });
    const got: number[] = [];
    const quick = channel.subscribe((message) => void got.push(message.data));
    await Promise.all([slow.ready, quick.ready]);
    await Promise.all(Array.from({ length: 500 }, (_, number) => channel.publish(number)));
    await eventually("the quick one has all", () => got.length === 500);
    expect(got).toEqual(Array.from({ length: 500 }, (_, number) => number));
    never.open();
    await Promise.all([slow.close(), quick.close()]);
  });

  test("replays a long history at its own pace, without being closed", async () => {
    const channel = stage.keyline().channel<number>("pace", { history: { size: 5_000 } });
    await Promise.all(Array.from({ length: 3_000 }, (_, number) => channel.publish(number)));
    const got: number[] = [];
    for await (const message of channel.subscribe({ since: "earliest", buffer: 10 })) {
      got.push(message.data);
      if (got.length % 100 === 0) await setImmediate();
      if (got.length === 3_000) break;
    }
    expect(got).toEqual(Array.from({ length: 3_000 }, (_, number) => number));
  });
});

describe("many receivers of one channel", () => {
  // Commands are counted: nobody else may send any.
  let server: EmbeddedValkey;
  let counting: Stage;
  beforeAll(async () => {
    server = await startValkey();
    counting = await openStage({ valkeyUrl: server.url });
  });
  afterAll(async () => {
    await counting.close();
    await server.stop();
  });

  const scriptCalls = async (): Promise<number> => {
    const info = await counting.valkey.info("commandstats");
    return Number(/cmdstat_evalsha:calls=(\d+)/.exec(info)?.[1] ?? 0) + Number(/cmdstat_eval:calls=(\d+)/.exec(info)?.[1] ?? 0);
  };

  test("who all come back at once with their cursors cost no more commands than one of them", async () => {
    const channel = counting.keyline().channel<number>("storm", { history: { size: 1_000 } });
    const cursors: (string | undefined)[] = [];
    for (let number = 0; number < 600; number++) cursors.push((await channel.publish(number)).cursor);
    const comeBack = async (count: number): Promise<number> => {
      // Another process, which has nothing in memory yet.
      const resumed = counting.keyline().channel<number>("storm", { history: { size: 1_000 } });
      await resumed.history({ limit: 1 });
      const before = await scriptCalls();
      const done = Array.from({ length: count }, async (_, index) => {
        const since = cursors[(index * 7) % 300];
        let expected = ((index * 7) % 300) + 1;
        for await (const message of resumed.subscribe({ since })) {
          expect(message.data).toBe(expected++);
          if (expected === 600) break;
        }
      });
      await Promise.all(done);
      return (await scriptCalls()) - before;
    };
    const alone = await comeBack(1);
    const together = await comeBack(500);
    expect(together).toBeLessThanOrEqual(alone + 4);
  });

  test("who come back one after another, to a process that has just started, are served from what the first one read", async () => {
    const published = counting.keyline().channel<number>("trickle", { history: {} });
    const cursors: (string | undefined)[] = [];
    for (let number = 0; number < 100; number++) cursors.push((await published.publish(number)).cursor);
    const channel = counting.keyline().channel<number>("trickle", { history: {} });
    const comeBack = async (from: number): Promise<number[]> => {
      const got: number[] = [];
      for await (const message of channel.subscribe({ since: cursors[from] })) {
        got.push(message.data);
        if (message.data === 99) break;
      }
      return got;
    };
    const expected = (from: number): number[] => Array.from({ length: 99 - from }, (_, index) => from + 1 + index);
    expect(await comeBack(3)).toEqual(expected(3));
    const before = await scriptCalls();
    for (let from = 98; from >= 3; from -= 5) expect(await comeBack(from)).toEqual(expected(from));
    expect(await scriptCalls()).toBe(before);
  });

  test("who were cut off for a moment are served from memory", async () => {
    const channel = counting.keyline().channel<number>("moment", { history: {} });
    const first = channel.subscribe();
    await first.ready;
    const { cursor } = await channel.publish(0);
    await channel.publish(1);
    await first[Symbol.asyncIterator]().next();
    await first.close();
    const before = await scriptCalls();
    for (let number = 0; number < 50; number++) {
      const again = channel.subscribe({ since: cursor });
      const { value } = await again[Symbol.asyncIterator]().next();
      expect(value.data).toBe(1);
      await again.close();
    }
    expect(await scriptCalls()).toBe(before);
    const live = `${counting.prefix}:{moment}:live`;
    expect(await counting.valkey.pubsub("NUMSUB", live)).toEqual([live, 1]);
  });
});

describe("a pattern", () => {
  test("hears every channel whose name fits, also new ones, with the schema of those it knows", async () => {
    const keyline = stage.keyline();
    const got: string[] = [];
    const subscription = keyline.channels("weather.*").subscribe((message) => void got.push(`${message.channel} ${String(message.data)}`));
    await subscription.ready;
    const other = stage.keyline();
    await other.channel("weather.oslo").publish(-3);
    await other.channel("weather.eu.lima", { history: {} }).publish(19);
    await other.channel("whether.oslo").publish(0);
    await other.channel("weather.last").publish(1);
    await eventually("all came", () => got.length === 3);
    expect(got).toEqual(["weather.oslo -3", "weather.eu.lima 19", "weather.last 1"]);
    await subscription.close();
  });

  test("is refused when it is malformed, and so is resuming it", () => {
    const keyline = stage.keyline();
    for (const bad of ["", "a b", "{x}", "a[bc]", "line\nfeed", "x".repeat(201)]) expect(() => keyline.channels(bad)).toThrow(/no pattern/);
    expect(() => keyline.channels("a.*").subscribe({ since: "earliest" } as never)).toThrow(/cannot be resumed/);
  });
});

describe("bad input", () => {
  test("is refused before anything is sent", async () => {
    const keyline = stage.keyline({ postgres: undefined as never });
    const channel = keyline.channel("strict", { maxPayloadBytes: 10 });
    const kept = keyline.channel("strict-kept", { history: { size: 3 } });
    expect(() => keyline.channel("a{b}")).toThrow(/no name/);
    expect(() => keyline.channel("x", { history: { size: 0 } })).toThrow(/history.size/);
    expect(() => keyline.channel("strict", { history: {} })).toThrow(/made before/);
    expect(keyline.channel("strict", { maxPayloadBytes: 10 })).toBe(channel);
    expect(() => channel.subscribe({ since: "earliest" })).toThrow(/keeps no history/);
    expect(() => channel.subscribe({ whenFull: "explode" as never })).toThrow(/whenFull/);
    expect(() => channel.subscribe({ buffer: 0 })).toThrow(/buffer/);
    expect(() => channel.subscribe({ sinse: "earliest" } as never)).toThrow(/no option "sinse"/);
    expect(() => keyline.channel("other", { historry: {} } as never)).toThrow(/no option "historry"/);
    await expect(channel.publish(1, { transaction: {} } as never)).rejects.toThrow(/no option "transaction"/);
    expect(() => stage.keyline({ redis: "valkey://localhost" } as never)).toThrow(/no option "redis"/);
    for (const since of ["", "nonsense", "1.2.3", "a\r\nid: 7", "5f.abcdefgh.1.1-1\n", "x".repeat(500)]) {
      expect(() => kept.subscribe({ since })).toThrow(expect.objectContaining({ code: "INVALID_CURSOR" }) as Error);
      await expect(kept.history({ since })).rejects.toMatchObject({ code: "INVALID_CURSOR" });
    }
    await expect(channel.history()).rejects.toMatchObject({ code: "INVALID_OPTION" });
    await expect(channel.publish("far too long")).rejects.toMatchObject({ code: "PAYLOAD_TOO_LARGE" });
    await expect(channel.publish(undefined)).rejects.toMatchObject({ code: "NOT_SERIALIZABLE" });
    await expect(kept.publish(JSON.parse('{"__proto__":{"a":1}}'))).rejects.toMatchObject({ code: "FORBIDDEN_KEY" });
    // @ts-expect-error: a pool is no transaction
    await expect(channel.publish(1, { tx: stage.pool })).rejects.toMatchObject({ code: "POSTGRES_REQUIRED" });
    expect(await stage.valkey.keys(`${stage.prefix}:{strict*`)).toEqual([]);
  });

  test("a cursor of a history that never was is answered by a gap", async () => {
    const kept = stage.keyline().channel<number>("forged", { history: {} });
    await kept.publish(1);
    const gaps: Gap[] = [];
    const forged = kept.subscribe({ since: "abcdef.12345678.7.1700000000000-0", onGap: (gap) => gaps.push(gap) });
    const { value } = await forged[Symbol.asyncIterator]().next();
    expect(value.data).toBe(1);
    expect(gaps.map((gap) => gap.reason)).toEqual(["lost"]);
    await forged.close();
  });
});

describe("expiry", () => {
  test("what has expired is announced with its number, and who had seen everything is told nothing", async () => {
    const keyline = stage.keyline();
    const channel = keyline.channel<number>("brief", { history: { ttl: 150 } });
    const early = await channel.publish(0);
    const late = await channel.publish(1);
    await eventually("both have expired", async () => (await stage.valkey.exists(`${stage.prefix}:{brief}:history`)) === 0);
    const gaps: Gap[] = [];
    const other = stage.keyline().channel<number>("brief", { history: { ttl: 150 } });
    const one = other.subscribe({ since: early.cursor, onGap: (gap) => gaps.push(gap) });
    await eventually("the gap is announced", () => gaps.length > 0);
    expect(gaps).toMatchObject([{ reason: "trimmed", missed: 1 }]);
    expect(one.cursor).toBe(late.cursor);
    const none: Gap[] = [];
    const two = other.subscribe({ since: late.cursor, onGap: (gap) => none.push(gap) });
    await two.ready;
    await channel.publish(2);
    const { value } = await two[Symbol.asyncIterator]().next();
    expect(value.data).toBe(2);
    expect(none).toEqual([]);
    await Promise.all([one.close(), two.close()]);
  });
});
