import type { FollowOptions, Stream, StreamGap } from "keyline";
import { startPostgres, startValkey } from "@keyline/embedded";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { eventually, openStage, type Stage } from "../support/stage.ts";
import { startWireProxy, targetOf } from "../support/wire-proxy.ts";

let stage: Stage;

beforeAll(async () => {
  stage = await openStage();
  await stage.keyline().migrate();
  await stage.pool.query("CREATE TABLE seen (n integer)");
});

afterAll(() => stage.close());

function upTo(count: number): number[] {
  return Array.from({ length: count }, (_, index) => index);
}

/** Follows behind `after`, and notes in one list what it is given and what it is told. */
async function told(stream: Pick<Stream<number>, "follow">, options: FollowOptions, last: number): Promise<(number | string)[]> {
  const list: (number | string)[] = [];
  for await (const { data } of stream.follow({ ...options, onGap: (gap: StreamGap) => list.push(gap.reason) })) {
    list.push(data);
    if (data === last) break;
  }
  return list;
}

describe("entries of a plain stream that somebody else removes", () => {
  test("are announced to who had not read them, and to nobody else", async () => {
    const stream = stage.keyline().stream<number>("cut");
    const key = `${stage.prefix}:{cut}:events`;
    const ids = (await stream.appendMany(upTo(20))).map(({ id }) => id);
    await stage.valkey.xtrim(key, "MAXLEN", 5);
    expect(await told(stream, { after: ids[3] ?? "" }, 19)).toEqual(["trimmed", 15, 16, 17, 18, 19]);
    expect(await told(stream, { after: ids[16] ?? "" }, 19)).toEqual([17, 18, 19]);
    expect(await told(stream, { after: "-" }, 19)).toEqual([15, 16, 17, 18, 19]);
    await stage.valkey.xtrim(key, "MAXLEN", 0);
    await stream.append(20);
    expect(await told(stream, { after: ids[17] ?? "" }, 20)).toEqual(["trimmed", 20]);
  });

  test("are announced also when the whole stream was deleted and made anew", async () => {
    const stream = stage.keyline().stream<number>("anew");
    await stream.appendMany(upTo(600));
    const list: (number | string)[] = [];
    for await (const { data } of stream.follow({ after: "-", onGap: (gap) => list.push(gap.reason) })) {
      // It has a page of five hundred, and is at its end when the stream is gone.
      if (data === 499) {
        await stage.valkey.del(`${stage.prefix}:{anew}:events`);
        await stream.append(1_000);
      }
      list.push(data);
      if (data === 1_000) break;
    }
    expect(list).toEqual([...upTo(500), expect.stringMatching(/trimmed|lost/), 1_000]);
  });

  test("ids of somebody's own that are before the stream's begin announce nothing, and come once", async () => {
    const stream = stage.keyline().stream<number>("old-ids");
    const key = `${stage.prefix}:{old-ids}:events`;
    expect(await told({ follow: () => stream.read() }, {}, 0)).toEqual([]);
    for (const n of upTo(5)) await stage.valkey.xadd(key, `${1_000 + n}-0`, "data", String(n));
    expect(await told(stream, { after: "-" }, 4)).toEqual([0, 1, 2, 3, 4]);
    expect(await told(stream, { after: "1001-0" }, 4)).toEqual([2, 3, 4]);
  });
});

describe("waiting", () => {
  test("whoever joins while another one's blocking read is being interrupted is heard at once", async () => {
    const keyline = stage.keyline();
    const late: number[] = [];
    for (let trial = 0; trial < 12; trial++) {
      const stop = new AbortController();
      const join = (name: string): Promise<number> =>
        (async () => {
          for await (const { at } of keyline.stream(name).follow({ after: "-", signal: stop.signal })) return Date.now() - at;
          return -1;
        })();
      void join(`first-${trial}`);
      await new Promise((resolve) => setTimeout(resolve, trial % 4));
      const second = join(`second-${trial}`);
      await new Promise((resolve) => setTimeout(resolve, 20));
      await stage.keyline().stream(`second-${trial}`).append(trial);
      late.push(await second);
      stop.abort();
    }
    // The block time is five seconds.
    expect(Math.max(...late)).toBeLessThan(3_000);
  }, 120_000);

  test("an entry of somebody else in a transactional stream keeps nobody busy", async () => {
    const valkey = await startValkey();
    const postgres = await startPostgres();
    const own = await openStage({ valkeyUrl: valkey.url, postgresUrl: postgres.url });
    try {
      const keyline = own.keyline();
      await keyline.migrate();
      const stream = keyline.stream<number>("foreign", { transactional: true });
      await stream.append(1);
      const stop = new AbortController();
      const following = told(stream, { after: "-", signal: stop.signal }, 2);
      await eventually("it is on Valkey", async () => (await own.valkey.xlen(`${own.prefix}:{foreign}:events`)) === 1);
      await postgres.stop();
      await own.valkey.xadd(`${own.prefix}:{foreign}:events`, "9999999999999-0", "data", "666");
      const commands = async (): Promise<number> => Number(/total_commands_processed:(\d+)/.exec(await own.valkey.info("stats"))?.[1] ?? 0);
      await new Promise((resolve) => setTimeout(resolve, 1_000));
      const begun = performance.now();
      const before = await commands();
      await new Promise((resolve) => setTimeout(resolve, 1_000));
      // A machine that is busy otherwise lets more time pass.
      expect(((await commands()) - before) / (performance.now() - begun)).toBeLessThan(0.2);
      stop.abort();
      expect(await following).toEqual([1]);
    } finally {
      await own.pool.end().catch(() => undefined);
      await own.close().catch(() => undefined);
      await valkey.stop();
      await postgres.stop();
    }
  });
});

describe("a projection", () => {
  test("of a plain stream is told what was lost while it was not connected", async () => {
    const valkey = await startValkey();
    const proxy = await startWireProxy({ target: targetOf(valkey.url) });
    const own = await openStage({ valkeyUrl: valkey.url });
    try {
      await own.keyline().migrate();
      await own.pool.query("CREATE TABLE seen (n integer)");
      const writer = own.keyline().stream<number>("cut-off");
      const reader = own.keyline({ valkey: `valkey://127.0.0.1:${proxy.port}` }).stream<number>("cut-off");
      const told: string[] = [];
      const projection = reader.project(
        "seen",
        async (tx, entries) => void (await tx.query("INSERT INTO seen SELECT unnest($1::integer[])", [entries.map(({ data }) => data)])),
        { onGap: (gap) => told.push(gap.reason) },
      );
      await writer.appendMany([1, 2, 3]);
      await projection.caughtUp();
      await proxy.refuse(true);
      proxy.cutAll();
      await writer.appendMany([4, 5, 6]);
      await own.valkey.flushall();
      await writer.appendMany([7, 8]);
      await proxy.refuse(false);
      await eventually("it has the last", async () => (await own.pool.query("SELECT FROM seen WHERE n = 8")).rows.length === 1);
      expect((await own.pool.query<{ n: number }>("SELECT n FROM seen ORDER BY n")).rows.map(({ n }) => n)).toEqual([1, 2, 3, 7, 8]);
      expect(told).toEqual(["lost"]);
    } finally {
      await own.close();
      await proxy.stop();
      await valkey.stop();
    }
  });

  test("has caught up with a stream that retention has emptied", async () => {
    const stream = stage.keyline().stream<number>("emptied");
    await stream.append(1);
    await stage.valkey.xtrim(`${stage.prefix}:{emptied}:events`, "MAXLEN", 0);
    const projection = stream.project("emptied", async () => undefined, { onGap: () => undefined });
    await projection.caughtUp();
    await projection.stop();
  });

  test("that is rebuilt by a process which goes away is rebuilt by another one", async () => {
    const streams = [0, 1].map(() => stage.keyline().stream<number>("handed-over", { transactional: true }));
    const [first, second] = streams.map((stream) =>
      stream.project("handed-over", async (tx, entries) => void (await tx.query("INSERT INTO seen VALUES ($1)", [entries.length])), {
        reset: async (tx) => void (await tx.query("DELETE FROM seen")),
      }),
    );
    await streams[0]?.appendMany(upTo(10));
    await Promise.all([first?.caughtUp(), second?.caughtUp()]);
    await first?.stop();
    await expect(first?.rebuild()).rejects.toMatchObject({ code: "STOPPED" });
    await second?.caughtUp();
    expect((await stage.pool.query<{ sum: string }>("SELECT sum(n) FROM seen")).rows[0]?.sum).toBe("10");
    await second?.stop();
  });
});

describe("a transactional stream", () => {
  test("keeps the order of calls with and without idempotency keys", async () => {
    const stream = stage.keyline().stream<number>("mixed", { transactional: true });
    await Promise.all(upTo(100).map((n) => stream.append(n, n % 2 === 0 ? { idempotencyKey: `k${n}` } : {})));
    const read: number[] = [];
    for await (const { data } of stream.read()) read.push(data);
    expect(read).toEqual(upTo(100));
  });

  test("can be closed while PostgreSQL is away", async () => {
    const postgres = await startPostgres();
    const own = await openStage({ postgresUrl: postgres.url });
    const keyline = own.keyline();
    await keyline.migrate();
    await keyline.stream<number>("away", { transactional: true }).append(1);
    await postgres.stop();
    await expect(keyline.stream<number>("away").append(2)).rejects.toThrow(/PostgreSQL/);
    await keyline.close();
    await own.pool.end().catch(() => undefined);
    own.valkey.disconnect();
  });

  test("refuses ids and keys that neither store could hold", async () => {
    const stream = stage.keyline().stream<number>("odd", { transactional: true, key: String });
    await expect(stream.find("a\0")).rejects.toMatchObject({ code: "INVALID_ID" });
    await expect(stream.history("a\0")).rejects.toMatchObject({ code: "INVALID_KEY" });
    expect(() => stream.read({ from: "1-99999999999999999999" })).toThrow(expect.objectContaining({ code: "INVALID_ID" }));
  });
});
