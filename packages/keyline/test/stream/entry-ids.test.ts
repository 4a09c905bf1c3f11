import fc from "fast-check";
import type { Entry } from "keyline";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { compareIds, idBefore, isEntryId, toEntryId } from "../../src/stream/entry-id.ts";
import { eventually, openStage, type Stage } from "../support/stage.ts";

const largest = 2n ** 64n - 1n;
const last = `${largest}-${largest}`;

let stage: Stage;

beforeAll(async () => {
  stage = await openStage();
  await stage.keyline().migrate();
});

afterAll(() => stage.close());

async function take<Data>(entries: AsyncIterable<Entry<Data>>, count = Infinity): Promise<Data[]> {
  const taken: Data[] = [];
  for await (const { data } of entries) if (taken.push(data) === count) break;
  return taken;
}

/** Appends as somebody does who knows nothing of Keyline. */
async function add(stream: string, id: string, data: number, key?: string): Promise<void> {
  const fields = ["data", String(data), ...(key === undefined ? [] : ["key", key])];
  await stage.valkey.xadd(`${stage.prefix}:{${stream}}:events`, id, ...fields);
}

describe("an id", () => {
  const part = fc.oneof(fc.bigInt({ min: 0n, max: largest }), fc.constantFrom(0n, 1n, 2n ** 53n, 2n ** 53n + 1n, largest - 1n, largest));
  const id = fc.tuple(part, part);

  test("is before another one as its two numbers are", () => {
    fc.assert(
      fc.property(id, id, ([a, b], [c, d]) => {
        const order = a === c ? b - d : a - c;
        expect(Math.sign(compareIds(`${a}-${b}`, `${c}-${d}`))).toBe(order < 0n ? -1 : order > 0n ? 1 : 0);
      }),
    );
  });

  test("has nothing between it and the one before it", () => {
    fc.assert(
      fc.property(id, ([a, b]) => {
        const [c, d] = idBefore(`${a}-${b}`).split("-").map(BigInt);
        expect(((c ?? 0n) << 64n) + (d ?? 0n)).toBe(a === 0n && b === 0n ? 0n : (a << 64n) + b - 1n);
      }),
    );
  });

  test("has up to 64 bits in each number, and is read as it would be written", () => {
    expect([last, "0-0", "1700000000000000-1"].every(isEntryId)).toBe(true);
    expect([`${largest + 1n}-0`, `0-${largest + 1n}`, "-", "1", "1-", "-1", "1-2-3", "a-1", "1 -1"].some(isEntryId)).toBe(false);
    expect(toEntryId("from", "007-010", "first")).toBe("7-10");
    expect(toEntryId("from", String(largest), "last")).toBe(last);
    expect(toEntryId("from", Number.MAX_SAFE_INTEGER, "first")).toBe("9007199254740991-0");
    for (const place of [String(largest + 1n), -1, 1.5, 2 ** 53, new Date(NaN)]) {
      expect(() => toEntryId("from", place, "first")).toThrow(expect.objectContaining({ code: "INVALID_ID" }));
    }
  });
});

describe("a stream with ids of somebody else, in microseconds", () => {
  const micros = "1700000000000000";

  test("is read, followed and found by key, with what Keyline appends behind them", async () => {
    const keyline = stage.keyline();
    const stream = keyline.stream<number>("micros", { key: () => "k" });
    const following = take(stream.follow({ after: "-" }), 3);
    await stream.append(1);
    await add("micros", `${micros}-0`, 2, "k");
    const { id } = await stream.append(3);
    expect(id).toBe(`${micros}-1`);
    expect(await following).toEqual([1, 2, 3]);
    expect(await take(stream.read())).toEqual([1, 2, 3]);
    expect(await take(stream.read({ reverse: true }))).toEqual([3, 2, 1]);
    expect(await take(stream.read({ from: `${micros}-0` }))).toEqual([2, 3]);
    expect(await take(stream.read({ from: Number(micros) }))).toEqual([2, 3]);
    expect(await take(stream.read({ from: micros, to: `${micros}-0` }))).toEqual([2]);
    expect(await take(stream.follow({ after: `${micros}-0` }), 1)).toEqual([3]);
    expect((await stream.history("k")).map(({ data }) => data)).toEqual([1, 3]);
    for await (const { at } of stream.read({ from: micros })) expect(at).toBe(Number(micros));
  });

  test("is consumed, projected and trimmed", async () => {
    const keyline = stage.keyline();
    const stream = keyline.stream<number>("worked", { retention: { maxLength: 3 } });
    await add("worked", `${micros}-0`, 1);
    const seen: number[] = [];
    const consumer = stream.consume("group", ({ data }) => void seen.push(data));
    const projected: number[] = [];
    const projection = stream.project("projected", async (_, entries) => void projected.push(...entries.map(({ data }) => data)));
    await stream.append(2);
    await stream.append(3);
    await eventually("all were handed out", () => seen.length === 3);
    await projection.caughtUp();
    expect([seen, projected]).toEqual([
      [1, 2, 3],
      [1, 2, 3],
    ]);
    await eventually("nothing is left to do", async () => (await stream.group("group").status()).pending === 0);
    expect((await stream.group("group").status()).lag).toBe(0);
    await stream.append(4);
    expect(await take(stream.follow({ after: `${micros}-2` }), 1)).toEqual([4]);
    await eventually("it is trimmed", async () => (await stage.valkey.xlen(`${stage.prefix}:{worked}:events`)) === 3);
    expect(await take(stream.read())).toEqual([2, 3, 4]);
    await consumer.stop();
    await projection.stop();
  });
});

describe("a stream with the last id of all", () => {
  test("is read, followed, consumed and projected to its end", async () => {
    const stream = stage.keyline().stream<number>("last");
    await add("last", `${largest}-${largest - 1n}`, 1);
    await add("last", last, 2);
    const seen: number[] = [];
    const consumer = stream.consume("group", ({ data }) => void seen.push(data), { concurrency: 2 });
    const projected: number[] = [];
    const projection = stream.project("last", async (_, entries) => void projected.push(...entries.map(({ data }) => data)), { size: 1 });
    await projection.caughtUp();
    await eventually("all were handed out", () => seen.length === 2);
    expect([seen, projected]).toEqual([
      [1, 2],
      [1, 2],
    ]);
    expect(await take(stream.read())).toEqual([1, 2]);
    expect(await take(stream.read({ reverse: true }))).toEqual([2, 1]);
    expect(await take(stream.read({ from: last }))).toEqual([2]);
    expect(await take(stream.follow({ after: idBefore(last) }), 1)).toEqual([2]);
    // Who is at the end waits, for there is nothing behind it.
    const stop = new AbortController();
    const entries = stream.follow({ after: idBefore(last), signal: stop.signal })[Symbol.asyncIterator]();
    expect((await entries.next()).value?.data).toBe(2);
    const atEnd = entries.next();
    const late = stream.follow({ after: last, signal: stop.signal })[Symbol.asyncIterator]().next();
    expect(await Promise.race([atEnd, late, new Promise((resolve) => setTimeout(resolve, 200, "waits"))])).toBe("waits");
    stop.abort();
    expect(await Promise.all([atEnd, late])).toEqual(Array.from({ length: 2 }, () => ({ done: true, value: undefined })));
    await consumer.stop();
    await projection.stop();
  });

  test("is read in parts that end with it", async () => {
    const stream = stage.keyline().stream<number>("parts");
    for (let number = 16n; number > 0n; number--) await add("parts", `${largest}-${largest - number + 1n}`, Number(17n - number));
    // The first part of a page has sixteen.
    expect(await take(stream.read())).toEqual(Array.from({ length: 16 }, (_, index) => index + 1));
    expect(await take(stream.follow({ after: "-" }), 16)).toHaveLength(16);
  });

  test("takes no more, says so, and has nothing of what did not fit", async () => {
    const stream = stage.keyline().stream<number>("full", { key: String });
    await add("full", idBefore(idBefore(last)), 0);
    await expect(stream.appendMany([1, 2, 3])).rejects.toThrow(/exhausted the last possible ID/);
    expect(await take(stream.read())).toEqual([0]);
    expect(await stream.history("1")).toEqual([]);
    await expect(stream.append(4, { idempotencyKey: "four" })).rejects.toThrow(/exhausted the last possible ID/);
    await expect(stream.append(4, { idempotencyKey: "four" })).rejects.toThrow(/exhausted the last possible ID/);
  });

  test("can be given back by a consumer, and its group removed", async () => {
    const stream = stage.keyline().stream<number>("given-back");
    await add("given-back", last, 1);
    const begun = Promise.withResolvers<void>();
    const never = Promise.withResolvers<void>();
    const first = stream.consume("group", async () => {
      begun.resolve();
      await never.promise;
    });
    await begun.promise;
    await first.stop({ timeout: 0 });
    const seen: number[] = [];
    const second = stream.consume("group", ({ data }) => void seen.push(data));
    await eventually("it is handed out again", () => seen.length === 1);
    await second.stop();
    await stream.group("group").remove();
    expect(await stream.groups()).toEqual([]);
    never.resolve();
  });
});

test("whoever follows behind the end, or begins a group there, gets what comes from now on", async () => {
  const stream = stage.keyline().stream<number>("ends");
  await stream.append(1);
  const seen: number[] = [];
  const consumer = stream.consume("group", ({ data }) => void seen.push(data), { from: "+" });
  await eventually("the group is there", async () => (await stream.groups()).length === 1);
  const entries = stream.follow({ after: "+" })[Symbol.asyncIterator]();
  const first = entries.next();
  let appended = 1;
  await eventually("it follows", async () => {
    await stream.append(++appended);
    return (await Promise.race([first, new Promise((resolve) => setTimeout(resolve, 20, undefined))])) !== undefined;
  });
  expect((await first).value?.data).toBeGreaterThan(1);
  await eventually("the group has all of it", () => seen.length === appended - 1);
  expect(seen[0]).toBe(2);
  await entries.return?.();
  await consumer.stop();
});

test("a transactional stream takes places that no event of it can have, and reads what is between them", async () => {
  const stream = stage.keyline().stream<number>("recorded", { transactional: true });
  await stream.appendMany([1, 2, 3]);
  expect(await take(stream.read({ to: last }))).toEqual([1, 2, 3]);
  expect(await take(stream.read({ from: "0-1", to: "+", reverse: true }))).toEqual([3, 2, 1]);
  expect(await take(stream.read({ from: "1700000000000000-0" }))).toEqual([]);
  expect(await take(stream.read({ from: last }))).toEqual([]);
});

test("a channel with history goes on behind ids in nanoseconds that somebody else put into it", async () => {
  const channel = stage.keyline().channel<number>("nanos", { history: {} });
  await channel.publish(1);
  await stage.valkey.xadd(`${stage.prefix}:{nanos}:history`, "1700000000000000000-0", "id", "a", "data", "2", "n", "x");
  const { cursor } = await channel.publish(3);
  const { messages } = await channel.history({ since: cursor });
  expect(messages).toEqual([]);
  await channel.publish(4);
  expect((await channel.history({ since: cursor })).messages.map(({ data }) => data)).toEqual([4]);
});
