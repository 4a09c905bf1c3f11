import type { Entry } from "keyline";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { z } from "zod";
import { openStage, type Stage } from "../support/stage.ts";

let stage: Stage;

beforeAll(async () => {
  stage = await openStage();
});

afterAll(() => stage.close());

async function all<Data>(entries: AsyncIterable<Entry<Data>>): Promise<Entry<Data>[]> {
  const taken: Entry<Data>[] = [];
  for await (const entry of entries) taken.push(entry);
  return taken;
}

describe("append", () => {
  test("keeps the order of the calls, and gives each its id", async () => {
    const stream = stage.keyline().stream<number>("order");
    const results = await Promise.all(Array.from({ length: 1_000 }, (_, index) => stream.append(index)));
    const entries = await all(stream.read());
    expect(entries.map((entry) => entry.data)).toEqual(Array.from({ length: 1_000 }, (_, index) => index));
    expect(entries.map((entry) => entry.id)).toEqual(results.map((result) => result.id));
    expect(results.every((result) => result.appended)).toBe(true);
  });

  test("writes what any language can read with one XRANGE", async () => {
    const stream = stage.keyline().stream("wire", { key: (event: { order: number }) => `o${event.order}` });
    const { id } = await stream.append({ order: 7 });
    expect(await stage.valkey.xrange(`${stage.prefix}:{wire}:events`, "-", "+")).toEqual([[id, ["data", '{"order":7}', "key", "o7"]]]);
  });

  test("reads what somebody else wrote with XADD, and passes over what is no entry", async () => {
    const stream = stage.keyline().stream("foreign", { schema: z.object({ size: z.number().default(3) }) });
    const key = `${stage.prefix}:{foreign}:events`;
    await stage.valkey.xadd(key, "*", "data", '{"size":1}');
    await stage.valkey.xadd(key, "*", "other", "1");
    await stage.valkey.xadd(key, "*", "data", "no JSON");
    await stage.valkey.xadd(key, "*", "data", '{"size":"large"}');
    await stage.valkey.xadd(key, "*", "data", "{}", "color", "red");
    expect((await all(stream.read())).map((entry) => entry.data)).toEqual([{ size: 1 }, { size: 3 }]);
    expect(stage.log.filter((line) => line.message.includes("an entry that cannot be read"))).toHaveLength(3);
  });

  test("answers a known idempotency key with the first id, until its window is over", async () => {
    const stream = stage.keyline().stream<string>("once", { idempotencyWindow: 300 });
    const first = await stream.append("a", { idempotencyKey: "k" });
    const [second, third, other] = await Promise.all([
      stream.append("b", { idempotencyKey: "k" }),
      stream.append("c", { idempotencyKey: "k" }),
      stream.append("d", { idempotencyKey: "l" }),
    ]);
    expect(second).toEqual({ id: first.id, appended: false });
    expect(third).toEqual({ id: first.id, appended: false });
    expect(other.appended).toBe(true);
    await expect.poll(async () => (await stream.append("e", { idempotencyKey: "k" })).appended, { timeout: 5_000 }).toBe(true);
    expect((await all(stream.read())).map((entry) => entry.data)).toEqual(["a", "d", "e"]);
  });

  test("appends many in one step", async () => {
    const stream = stage.keyline().stream<number>("many");
    await Promise.all([stream.appendMany([1, 2, 3]), stream.append(4), stream.appendMany([5, 6])]);
    expect((await all(stream.read())).map((entry) => entry.data)).toEqual([1, 2, 3, 4, 5, 6]);
    expect(await stream.appendMany([])).toEqual([]);
  });

  test("refuses bad input before anything is written", async () => {
    const keyline = stage.keyline();
    const stream = keyline.stream("refusing", {
      schema: z.object({ size: z.number() }),
      key: ({ size }) => {
        if (size === 0) throw new Error("no zero");
        return size < 0 ? "" : String(size);
      },
      maxPayloadBytes: 100,
    });
    await expect(stream.append({ size: "large" } as never)).rejects.toMatchObject({ code: "VALIDATION_FAILED" });
    await expect(stream.append({ size: 0 })).rejects.toMatchObject({ code: "INVALID_KEY", message: /no zero/ });
    await expect(stream.append({ size: -1 })).rejects.toMatchObject({ code: "INVALID_KEY" });
    await expect(stream.append({ size: 1 }, { idempotencyKey: "" })).rejects.toMatchObject({ code: "INVALID_KEY" });
    await expect(stream.append({ size: 1 }, { idempotency: "k" } as never)).rejects.toMatchObject({ code: "INVALID_OPTION" });
    await expect(stream.append({ size: 1 }, { tx: stage.pool } as never)).rejects.toMatchObject({ code: "NOT_TRANSACTIONAL" });
    await expect(stream.appendMany([{ size: 1 }, { size: 0 }])).rejects.toMatchObject({ code: "INVALID_KEY" });
    const plain = keyline.stream("plain", { maxPayloadBytes: 10 });
    await expect(plain.append("x".repeat(20))).rejects.toMatchObject({ code: "PAYLOAD_TOO_LARGE" });
    await expect(plain.append(undefined)).rejects.toMatchObject({ code: "NOT_SERIALIZABLE" });
    expect(() => keyline.stream("bad name")).toThrow(expect.objectContaining({ code: "INVALID_NAME" }));
    expect(() => keyline.stream("s1", { retention: { size: 1 } } as never)).toThrow(expect.objectContaining({ code: "INVALID_OPTION" }));
    expect(() => keyline.stream("s2", { retention: { maxLength: 0 } })).toThrow(expect.objectContaining({ code: "INVALID_OPTION" }));
    expect(() => keyline.stream("s3", { retention: { recordMaxAge: 1 } })).toThrow(expect.objectContaining({ code: "INVALID_OPTION" }));
    expect(() => stage.keyline({ postgres: undefined as never }).stream("s4", { transactional: true })).toThrow(
      expect.objectContaining({ code: "POSTGRES_REQUIRED" }),
    );
    expect(await all(stream.read())).toEqual([]);
    expect(await all(plain.read())).toEqual([]);
  });
});

describe("read", () => {
  test("reads by id, in both directions and in pages", async () => {
    const stream = stage.keyline().stream<number>("reading");
    const ids = (await stream.appendMany(Array.from({ length: 1_234 }, (_, index) => index))).map((result) => result.id);
    const of = async (options: Parameters<typeof stream.read>[0]): Promise<number[]> =>
      (await all(stream.read(options))).map((entry) => entry.data);
    expect(await of({})).toHaveLength(1_234);
    expect(await of({ reverse: true })).toEqual(Array.from({ length: 1_234 }, (_, index) => 1_233 - index));
    expect(await of({ from: ids[700] ?? "", to: ids[702] ?? "" })).toEqual([700, 701, 702]);
    expect(await of({ from: ids[700] ?? "", limit: 501 })).toEqual(Array.from({ length: 501 }, (_, index) => 700 + index));
    expect(await of({ to: ids[2] ?? "", reverse: true })).toEqual([2, 1, 0]);
    expect(await of({ from: "+", to: "-" })).toEqual([]);
    expect(await of({ from: ids[3] ?? "", to: ids[2] ?? "" })).toEqual([]);
  });

  test("reads by time", async () => {
    const stream = stage.keyline().stream<string>("times");
    const key = `${stage.prefix}:{times}:events`;
    for (const ms of [1_000, 1_000, 2_000, 3_000]) await stage.valkey.xadd(key, ms === 1_000 ? "1000-*" : `${ms}-0`, "data", `"${ms}"`);
    const of = async (options: Parameters<typeof stream.read>[0]): Promise<string[]> =>
      (await all(stream.read(options))).map((entry) => entry.id);
    expect(await of({ from: 1_000, to: 1_000 })).toEqual(["1000-0", "1000-1"]);
    expect(await of({ from: new Date(1_001) })).toEqual(["2000-0", "3000-0"]);
    expect(await of({ from: "2000", to: "2000" })).toEqual(["2000-0"]);
    expect((await all(stream.read({ limit: 1 })))[0]?.at).toBe(1_000);
    for (const from of ["yesterday", Number.NaN, -1, "1-x", {} as never]) {
      expect(() => stream.read({ from })).toThrow(expect.objectContaining({ code: "INVALID_ID" }));
    }
    expect(() => stream.read({ limit: 0 })).toThrow(expect.objectContaining({ code: "INVALID_OPTION" }));
  });
});

describe("history", () => {
  test("finds the entries of one key", async () => {
    const stream = stage.keyline().stream("keys", { key: (event: { of: string; n: number }) => event.of });
    for (let n = 0; n < 5; n++)
      await stream.appendMany([
        { of: "a", n },
        { of: "b {x}", n },
      ]);
    const numbers = (entries: readonly Entry<{ n: number }>[]): number[] => entries.map((entry) => entry.data.n);
    expect(numbers(await stream.history("a"))).toEqual([0, 1, 2, 3, 4]);
    expect(numbers(await stream.history("b {x}", { limit: 2 }))).toEqual([3, 4]);
    expect(numbers(await stream.history("a", { reverse: true, limit: 2 }))).toEqual([4, 3]);
    expect((await stream.history("a"))[0]?.key).toBe("a");
    expect(await stream.history("nobody")).toEqual([]);
    await expect(stage.keyline().stream("keyless").history("a")).rejects.toMatchObject({ code: "INVALID_OPTION" });
  });

  test("is trimmed with the stream, also by others", async () => {
    const stream = stage.keyline().stream("trimmed-keys", { key: (event: string) => event[0] ?? "", retention: { maxLength: 10 } });
    await stream.appendMany(Array.from({ length: 100 }, (_, index) => (index === 50 ? "b" : `a${index}`)));
    await expect.poll(() => stage.valkey.xlen(`${stage.prefix}:{trimmed-keys}:events`), { timeout: 15_000 }).toBe(10);
    expect((await stream.history("a")).map((entry) => entry.data)).toEqual(Array.from({ length: 10 }, (_, index) => `a${90 + index}`));
    expect(await stage.valkey.llen(`${stage.prefix}:{trimmed-keys}:history:a`)).toBe(10);
    expect(await stage.valkey.exists(`${stage.prefix}:{trimmed-keys}:history:b`)).toBe(0);
    await stage.valkey.xtrim(`${stage.prefix}:{trimmed-keys}:events`, "MAXLEN", 2);
    expect(await stream.history("a")).toHaveLength(2);
    expect(await stage.valkey.llen(`${stage.prefix}:{trimmed-keys}:history:a`)).toBe(2);
  });
});
