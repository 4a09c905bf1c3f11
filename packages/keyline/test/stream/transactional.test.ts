import type { Entry, StreamGap } from "keyline";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { startValkey } from "@keyline/embedded";
import { EventTable, type EventRow } from "../../src/postgres/event/event-table.ts";
import { eventually, openStage, type Stage } from "../support/stage.ts";

let stage: Stage;

beforeAll(async () => {
  stage = await openStage();
  await stage.keyline().migrate();
});

afterAll(() => stage.close());

async function data<Data>(entries: AsyncIterable<Entry<Data>>): Promise<Data[]> {
  const taken: Data[] = [];
  for await (const entry of entries) taken.push(entry.data);
  return taken;
}

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

const hotIds = async (stream: string, at: Stage = stage): Promise<string[]> =>
  (await at.valkey.xrange(`${at.prefix}:{${stream}}:events`, "-", "+")).map(([id]) => id);
const recordIds = async (stream: string, at: Stage = stage): Promise<string[]> =>
  (
    await at.pool.query<{ id: string }>(
      "SELECT (position >> 20) || '-' || (position & 1048575) AS id FROM keyline.event WHERE stream = $1 AND position > 0 ORDER BY position",
      [stream],
    )
  ).rows.map(({ id }) => id);

describe("append without a transaction of the caller's", () => {
  test("is a row and an entry under the same id, in the order of the calls", async () => {
    const stream = stage.keyline().stream<number>("own", { transactional: true });
    const results = await Promise.all(upTo(2_000).map((n) => stream.append(n)));
    const ids = results.map((result) => result.id);
    expect(await recordIds("own")).toEqual(ids);
    await eventually("all are on Valkey", async () => (await hotIds("own")).length === 2_000);
    expect(await hotIds("own")).toEqual(ids);
    expect(await data(stream.read())).toEqual(upTo(2_000));
    expect(await data(stream.read({ reverse: true, limit: 3 }))).toEqual([1_999, 1_998, 1_997]);
  });

  test("keeps the places of several processes apart", async () => {
    const streams = upTo(4).map(() => stage.keyline().stream<number>("several", { transactional: true }));
    await Promise.all(streams.flatMap((stream, index) => upTo(300).map((n) => stream.append(index * 1_000 + n))));
    await eventually("all are on Valkey", async () => (await hotIds("several")).length === 1_200);
    expect(await hotIds("several")).toEqual(await recordIds("several"));
    const numbers = await data(stage.keyline().stream<number>("several", { transactional: true }).read());
    for (const index of upTo(4)) {
      expect(numbers.filter((n) => Math.floor(n / 1_000) === index)).toEqual(upTo(300).map((n) => index * 1_000 + n));
    }
  });

  test("answers a known idempotency key with the first id", async () => {
    const stream = stage.keyline().stream<string>("once", { transactional: true, idempotencyWindow: 500 });
    const results = await Promise.all(upTo(10).map(() => stream.append("a", { idempotencyKey: "k" })));
    expect(results.filter((result) => result.appended)).toHaveLength(1);
    expect(new Set(results.map((result) => result.id)).size).toBe(1);
    await expect.poll(async () => (await stream.append("b", { idempotencyKey: "k" })).appended, { timeout: 5_000 }).toBe(true);
    expect(await data(stream.read())).toEqual(["a", "b"]);
  });
});

describe("append within a transaction", () => {
  test("is there when it committed, and never when it rolled back", async () => {
    const keyline = stage.keyline();
    const stream = keyline.stream<string>("within", { transactional: true });
    const live = take(stream.follow({ after: "-" }), 2);
    let rowId = "";
    await keyline.transaction(async (tx) => {
      ({ id: rowId } = await stream.append("a", { tx }));
      await stream.appendMany(["b", "c"], { tx });
      expect(await data(stream.read())).toEqual([]);
      expect(await stream.find(rowId)).toBeUndefined();
    });
    // Committed is enough to be read, wherever it is yet.
    expect(await data(stream.read())).toEqual(["a", "b", "c"]);
    expect(await live).toEqual(["a", "b"]);
    expect(await stream.find(rowId)).toMatchObject({ data: "a" });
    await expect(
      keyline.transaction(async (tx) => {
        await stream.append("never", { tx });
        throw new Error("no");
      }),
    ).rejects.toThrow("no");
    await stream.append("d");
    expect(await data(stream.read())).toEqual(["a", "b", "c", "d"]);
    // @ts-expect-error: a pool is no transaction
    await expect(stream.append("x", { tx: stage.pool })).rejects.toMatchObject({ code: "NOT_IN_TRANSACTION" });
  });

  test("gets its place at the commit: what a reader has passed is followed by nothing in front of it", async () => {
    const stream = stage.keyline().stream<string>("late", { transactional: true });
    const slow = await stage.pool.connect();
    await slow.query("BEGIN");
    await stream.append("begun first", { tx: slow });
    const { id } = await stream.append("committed first");
    expect(await take(stream.follow({ after: "-" }), 1)).toEqual(["committed first"]);
    await slow.query("COMMIT");
    slow.release();
    expect(await take(stream.follow({ after: id }), 1)).toEqual(["begun first"]);
    expect(await data(stream.read())).toEqual(["committed first", "begun first"]);
  });

  test("a savepoint that was rolled back takes its events with it, and a transaction's key stays free", async () => {
    const keyline = stage.keyline();
    const stream = keyline.stream<string>("savepoint", { transactional: true });
    await keyline.transaction(async (tx) => {
      await stream.append("a", { tx });
      await tx.query("SAVEPOINT s");
      expect((await stream.append("b", { tx, idempotencyKey: "k" })).appended).toBe(true);
      await tx.query("ROLLBACK TO SAVEPOINT s");
      expect((await stream.append("c", { tx, idempotencyKey: "k" })).appended).toBe(true);
    });
    expect(await data(stream.read())).toEqual(["a", "c"]);
    await eventually("they are on Valkey", async () => (await hotIds("savepoint")).length === 2);
    const again = await keyline.transaction((tx) => stream.append("d", { tx, idempotencyKey: "k" }));
    expect(again.appended).toBe(false);
  });
});

describe("a record that is longer than the hot window", () => {
  test("is read through both without a seam, in both directions, and by key", async () => {
    const stream = stage.keyline().stream("long", { transactional: true, retention: { maxLength: 50 }, key: (n: number) => `k${n % 100}` });
    const ids = (await stream.appendMany(upTo(1_000))).map((result) => result.id);
    await eventually("it is trimmed", async () => (await hotIds("long")).length === 50);
    expect(await hotIds("long")).toEqual(ids.slice(950));
    expect(await data(stream.read())).toEqual(upTo(1_000));
    expect(await data(stream.read({ reverse: true }))).toEqual(upTo(1_000).toReversed());
    expect(await data(stream.read({ from: ids[940] ?? "", to: ids[960] ?? "" }))).toEqual(upTo(961, 940));
    expect(await data(stream.read({ from: ids[940] ?? "", to: ids[960] ?? "", reverse: true, limit: 15 }))).toEqual(
      upTo(961, 946).toReversed(),
    );
    expect((await stream.history("k7")).map((entry) => entry.data)).toEqual(upTo(10).map((n) => n * 100 + 7));
    expect((await stream.history("k7", { limit: 2 })).map((entry) => entry.data)).toEqual([807, 907]);
    expect(await take(stream.follow({ after: "-" }), 1_000)).toEqual(upTo(1_000));
    expect(await take(stream.follow({ after: ids[930] ?? "" }), 69)).toEqual(upTo(1_000, 931));
  });
});

describe("a look of the relay", () => {
  test("writes nothing to a stream of which Valkey has everything", async () => {
    const valkey = await startValkey();
    const own = await openStage({ valkeyUrl: valkey.url });
    try {
      const keyline = own.keyline();
      await keyline.migrate();
      await keyline.stream<number>("quiet", { transactional: true }).append(1);
      await eventually("it is there", async () => (await hotIds("quiet", own)).length === 1);
      const calls = async (command: string): Promise<number> =>
        Number(new RegExp(`cmdstat_${command}:calls=(\\d+)`, "u").exec(await own.valkey.info("commandstats"))?.[1] ?? 0);
      const [written, asked] = [await calls("hset"), await calls("hmget")];
      await eventually("it was looked at again", async () => (await calls("hmget")) > asked);
      expect(await calls("hset")).toBe(written);
    } finally {
      await own.close();
      await valkey.stop();
    }
  });
});

describe("events that are large", () => {
  test("are read whole, in both directions, with and without Valkey, a few of them at once", async () => {
    const pages = [vi.spyOn(EventTable.prototype, "read"), vi.spyOn(EventTable.prototype, "readCommitted")];
    const valkey = await startValkey();
    const own = await openStage({ valkeyUrl: valkey.url });
    try {
      const keyline = own.keyline();
      await keyline.migrate();
      const stream = keyline.stream<string>("large", { transactional: true, retention: { maxLength: 2 }, maxPayloadBytes: 16_777_216 });
      const texts = upTo(12).map((n) => String(n).repeat(n === 3 ? 9_000_000 : 1_000_000 / String(n).length));
      const ids: string[] = [];
      for (const text of texts) ids.push((await stream.append(text)).id);
      await eventually("it is trimmed", async () => (await hotIds("large", own)).length === 2);
      const sizes: number[] = [];
      for await (const { data: text } of stream.follow({ after: "-" })) if (sizes.push(text.length) === 12) break;
      expect(sizes).toEqual(texts.map((text) => text.length));
      expect(await data(stream.read())).toEqual(texts);
      expect(await data(stream.read({ reverse: true }))).toEqual(texts.toReversed());
      await valkey.kill();
      await eventually("it is away", () => own.log.some((line) => line.message.includes("reconnecting")));
      expect(await data(stream.read())).toEqual(texts);
      expect(await data(stream.read({ reverse: true, limit: 11 }))).toEqual(texts.slice(1).toReversed());
      expect(await data(stream.read({ from: ids[3] ?? "", to: ids[4] ?? "" }))).toEqual(texts.slice(3, 5));
      for (const { mock } of pages) {
        expect(mock.results.length).toBeGreaterThan(0);
        for (const { value } of mock.results) {
          const rows: readonly EventRow[] = await value;
          const lengths = rows.map((row) => row.data.length);
          expect(lengths.slice(0, -1).reduce((sum, size) => sum + size, 0)).toBeLessThan(8_388_608);
        }
      }
      await valkey.restart();
      await eventually("Valkey has the newest again", async () => (await hotIds("large", own)).length === 2);
    } finally {
      for (const page of pages) page.mockRestore();
      await own.close();
      await valkey.stop();
    }
  });
});

describe("when Valkey loses everything", () => {
  test("the hot window is filled again, ids go on growing, and who follows has neither gap nor duplicate", async () => {
    const valkey = await startValkey();
    const own = await openStage({ valkeyUrl: valkey.url });
    try {
      const keyline = own.keyline();
      await keyline.migrate();
      const stream = keyline.stream<number>("refilled", { transactional: true, retention: { maxLength: 100 } });
      const gaps: StreamGap[] = [];
      const total = 3_000;
      const following = take(stream.follow({ after: "-", onGap: (gap) => gaps.push(gap) }), total);
      for (let n = 0; n < total; n += 100) {
        if (n % 1_000 === 500) await own.valkey.flushall();
        await Promise.all(upTo(100).map((index) => stream.append(n + index)));
      }
      expect(await following).toEqual(upTo(total));
      expect(gaps).toEqual([]);
      await own.valkey.flushall();
      await eventually("it is filled again by itself", async () => (await hotIds("refilled", own)).length >= 100);
      expect((await recordIds("refilled", own)).slice(-100)).toEqual((await hotIds("refilled", own)).slice(-100));
      expect(await data(stream.read())).toEqual(upTo(total));
    } finally {
      await own.close();
      await valkey.stop();
    }
  });

  test("entries of somebody else are taken out, and keep nothing of the record out", async () => {
    const stream = stage.keyline().stream<number>("foreign", { transactional: true });
    await stream.append(1);
    await eventually("it is on Valkey", async () => (await hotIds("foreign")).length === 1);
    await stage.valkey.xadd(`${stage.prefix}:{foreign}:events`, "99999999999999-0", "data", "666");
    await stream.append(2);
    await eventually("the record's are there", async () => (await hotIds("foreign")).length === 2);
    expect(await data(stream.read())).toEqual([1, 2]);
    expect(await stage.valkey.llen(`${stage.prefix}:{foreign}:foreign`)).toBe(1);
    expect(stage.log.some((line) => line.message.includes("somebody else wrote"))).toBe(true);
  });
});

describe("without Valkey", () => {
  test("appends commit and are read from the record, and Valkey gets them when it is back", async () => {
    const valkey = await startValkey();
    const own = await openStage({ valkeyUrl: valkey.url });
    try {
      const keyline = own.keyline();
      await keyline.migrate();
      const stream = keyline.stream<number>("away", { transactional: true });
      await stream.append(0);
      await valkey.kill();
      await eventually("it is away", () => own.log.some((line) => line.message.includes("reconnecting")));
      await stream.append(1);
      await keyline.transaction((tx) => stream.append(2, { tx }));
      expect(await data(stream.read())).toEqual([0, 1, 2]);
      await valkey.restart();
      await eventually("they are there", async () => (await hotIds("away", own)).length === 3);
    } finally {
      await own.close();
      await valkey.stop();
    }
  });
});
