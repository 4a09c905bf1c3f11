import { Discard, type Consumer, type GroupStatus, type Keyline, type Stream } from "keyline";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { eventually, gate, openStage, type Stage } from "../../support/stage.ts";

interface N {
  readonly n: number;
}

let stage: Stage;
let streams = 0;
beforeAll(async () => {
  stage = await openStage();
  await stage.keyline().migrate();
});
afterAll(() => stage.close());

const upTo = (count: number, from = 0): number[] => Array.from({ length: count }, (_, n) => from + n);

interface Kind {
  readonly transactional: boolean;
  readonly hasKeys: boolean;
}
const kinds: readonly Kind[] = [false, true].flatMap((transactional) => [false, true].map((hasKeys) => ({ transactional, hasKeys })));

// Longer than a busy machine keeps a process from running.
const lease = 900;

describe.each(kinds)("reset of a group ($transactional transactional, $hasKeys with keys)", ({ transactional, hasKeys }) => {
  function open(name = `reset-${streams++}`, keyline: Keyline = stage.keyline()): Stream<N> {
    const rules = hasKeys ? { key: ({ n }: N) => `key-${n % 3}` } : {};
    if (transactional) return keyline.stream<N>(name, { ...rules, transactional: true });
    return keyline.stream<N>(name, rules);
  }

  async function append(stream: Stream<N>, values: readonly number[]): Promise<string[]> {
    const ids: string[] = [];
    for (const n of values) ids.push((await stream.append({ n })).id);
    return ids;
  }

  /** Ends an entry by a settle where there is one. */
  function consume(stream: Stream<N>, ran: number[], before?: (n: number) => Promise<void> | void, concurrency = 4): Consumer<N> {
    const consumer = (stream as Stream<N, N, boolean>).consume(
      "g",
      async (entry, { settle }) => {
        const { n } = entry.data;
        await before?.(n);
        if (transactional && n % 2 === 0) await settle(async () => undefined);
        ran.push(n);
      },
      { lease, concurrency },
    );
    consumer.on("error", () => undefined);
    return consumer;
  }

  /** Undefined as long as there is no such group. */
  const statusOf = (stream: Stream<N>): Promise<GroupStatus | undefined> =>
    stream
      .group("g")
      .status()
      .catch(() => undefined);

  const finished = async (stream: Stream<N>): Promise<boolean> => {
    const status = await statusOf(stream);
    return status?.lag === 0 && status.pending === 0;
  };

  test("to the start has all entries handed out again, to consumers that run", async () => {
    const stream = open();
    await append(stream, upTo(12));
    const ran: number[] = [];
    const consumers = [consume(stream, ran), consume(stream, ran)];
    await eventually("all ran", () => finished(stream));
    ran.length = 0;
    await stream.group("g").reset("start");
    await eventually("all ran again", () => new Set(ran).size === 12 && finished(stream));
    expect(ran.toSorted((one, other) => one - other)).toEqual(upTo(12));
    if (hasKeys) for (const key of upTo(3)) expect(ran.filter((n) => n % 3 === key)).toEqual(upTo(4).map((round) => round * 3 + key));
    await append(stream, [12]);
    await eventually("it goes on", () => ran.includes(12) && finished(stream));
    await Promise.all(consumers.map((consumer) => consumer.stop()));
  });

  test("to an entry or a time begins there, and to the end leaves out what is left", async () => {
    const stream = open();
    const ids = await append(stream, upTo(5));
    const ran: number[] = [];
    const first = consume(stream, ran);
    await eventually("all ran", () => finished(stream));
    await first.stop();
    await stream.group("g").reset(ids[3] as string);
    expect(await stream.group("g").status()).toMatchObject({ lag: 2, pending: 0 });
    ran.length = 0;
    const second = consume(stream, ran);
    await eventually("two ran again", () => ran.length === 2 && finished(stream));
    expect(ran.toSorted((one, other) => one - other)).toEqual([3, 4]);
    await second.stop();
    await stream.group("g").reset(new Date(Number((ids[0] as string).split("-")[0])));
    expect((await stream.group("g").status()).lag).toBe(5);
    await stream.group("g").reset("end");
    expect(await stream.group("g").status()).toMatchObject({ lag: 0, pending: 0 });
    // Later than all there is: what comes is not left out.
    await stream.group("g").reset(new Date(Date.now() + 3_600_000));
    ran.length = 0;
    const third = consume(stream, ran);
    await append(stream, [5]);
    await eventually("the new one ran", () => ran.length > 0);
    expect(ran).toEqual([5]);
    await third.stop();
  });

  test("aborts what runs, drops what is pending or waits for another attempt, and old attempts end nothing", async () => {
    const stream = open();
    await append(stream, upTo(6));
    const [began, hold] = [gate(), gate()];
    const ran: number[] = [];
    let aborted = 0;
    let isFirst = true;
    const consumer = stream.consume(
      "g",
      async (entry) => {
        if (isFirst && entry.data.n === 1) throw new Error("it is tried again in an hour");
        if (isFirst && entry.data.n === 0) {
          began.open();
          entry.signal.addEventListener("abort", () => aborted++);
          await hold.opened;
          return;
        }
        if (!isFirst) ran.push(entry.data.n);
      },
      { lease, concurrency: 4, backoff: { type: "fixed", delay: 3_600_000, jitter: 0 } },
    );
    consumer.on("error", () => undefined);
    await began.opened;
    await eventually("one waits for its next attempt", async () => ((await statusOf(stream))?.retrying ?? 0) > 0);
    const resetting = stream.group("g").reset("start");
    await eventually("what runs is aborted", () => aborted === 1);
    isFirst = false;
    await resetting;
    hold.open();
    await eventually("all ran again", () => new Set(ran).size === 6 && finished(stream));
    expect(ran.toSorted((one, other) => one - other)).toEqual(upTo(6));
    await consumer.stop();
  });

  test("in the middle of the work has everything done again, of each key one after the other", async () => {
    const stream = open();
    await append(stream, upTo(45));
    const begun: number[] = [];
    const ended: number[] = [];
    const running = new Set<number>();
    const problems: string[] = [];
    const consumers = [0, 1].map(() =>
      consume(
        stream,
        ended,
        async (n) => {
          if (hasKeys && running.has(n % 3)) problems.push(`${n} began while another one of its key ran`);
          running.add(n % 3);
          begun.push(n);
          for (let turns = 0; turns < 5; turns++) await new Promise(setImmediate);
          running.delete(n % 3);
        },
        3,
      ),
    );
    await eventually("some ran", () => ended.length >= 10);
    await stream.group("g").reset("start");
    await append(stream, upTo(6, 45));
    await eventually("all ran", () => ended.includes(50) && finished(stream));
    for (const key of upTo(3)) {
      const ofKey = begun.filter((n) => n % 3 === key);
      const again = hasKeys ? ofKey.slice(ofKey.lastIndexOf(key)) : [...new Set(ofKey)].toSorted((one, other) => one - other);
      expect(again).toEqual(upTo(17).map((round) => round * 3 + key));
    }
    expect(problems).toEqual([]);
    await Promise.all(consumers.map((consumer) => consumer.stop()));
  });

  test("of a group that does not exist, or to what is no place, is refused", async () => {
    const stream = open();
    await append(stream, [1]);
    await expect(stream.group("none").reset("start")).rejects.toMatchObject({ code: "UNKNOWN_GROUP" });
    for (const place of ["first", "+", "-", "", "12", 12, undefined, new Date(Number.NaN)]) {
      await expect(stream.group("none").reset(place as string)).rejects.toMatchObject({ code: "INVALID_ID" });
    }
  });

  test("that nobody has ended is ended by whoever consumes, at its place", async () => {
    const stream = open();
    const ids = await append(stream, upTo(4));
    const ran: number[] = [];
    const consumer = consume(stream, ran);
    await eventually("all ran", async () => ran.length === 4 && (await finished(stream)));
    await consumer.stop();
    // As if the process had died behind its first step, or its second one, and the mark was over.
    const base = `${stage.prefix}:{${stream.name}}:`;
    await stage.valkey.xgroup("DESTROY", `${base}events`, "g");
    const before = `${Number((ids[2] as string).split("-")[0]) - 1}-0`;
    if (transactional) await stage.pool.query("SELECT keyline.reset_group($1, 'g', $2::bigint << 20)", [stream.name, before.split("-")[0]]);
    await stage.valkey.hset(`${base}group:g:state`, { reset: "gone", reset_until: "1", reset_to: before });
    ran.length = 0;
    const next = consume(stream, ran);
    await eventually("it goes on there", () => ran.includes(3) && finished(stream));
    expect(ran).toContain(2);
    await next.stop();
    expect(await stage.valkey.hexists(`${base}group:g:state`, "reset")).toBe(0);
  });

  test("keeps dead letters of what is before its place", async () => {
    const stream = open();
    const ids = await append(stream, upTo(3));
    const consumer = stream.consume(
      "g",
      () => {
        throw new Discard("no");
      },
      { lease },
    );
    await eventually("all are dead", async () => (await statusOf(stream))?.dead === 3);
    await consumer.stop();
    await stream.group("g").reset(ids[2] as string);
    expect((await stream.group("g").status()).dead).toBe(2);
  });
});

test("two resets of one group at once: the later one counts, and the other one is told", async () => {
  const stream = stage.keyline().stream<N>(`reset-${streams++}`);
  for (const n of upTo(4)) await stream.append({ n });
  const ran: number[] = [];
  const consumer = stream.consume("g", ({ data }) => void ran.push(data.n), { lease: 1_500 });
  await eventually("all ran", () => ran.length === 4);
  const first = stream.group("g").reset("start");
  const state = `${stage.prefix}:{${stream.name}}:group:g:state`;
  await eventually("it has begun", async () => (await stage.valkey.hexists(state, "reset")) === 1);
  const second = stream.group("g").reset("end");
  await expect(first).rejects.toMatchObject({ code: "CONFLICT" });
  await second;
  await stream.append({ n: 4 });
  await eventually("it goes on", () => ran.includes(4));
  expect(ran).toEqual(upTo(5));
  await consumer.stop();
});

test("a floor that was read before a reset is not written behind it", async () => {
  const stream = stage.keyline().stream<N>(`reset-${streams++}`, { transactional: true });
  for (const n of upTo(3)) await stream.append({ n });
  const consumer = stream.consume("g", () => undefined, { lease });
  const floorOf = async (): Promise<{ floor: string; resets: number } | undefined> =>
    (
      await stage.pool.query<{ floor: string; resets: number }>("SELECT floor, resets FROM keyline.consumer_group WHERE stream = $1", [
        stream.name,
      ])
    ).rows[0];
  await eventually("the floor has moved", async () => (await floorOf())?.floor !== "0");
  await consumer.stop();
  await stream.group("g").reset("start");
  const after = await floorOf();
  expect(after).toMatchObject({ floor: "0", resets: 1 });
  const { Database } = await import("../../../src/postgres/client/database.ts");
  const { GroupTable } = await import("../../../src/postgres/event/group-table.ts");
  const database = new Database(stage.databaseUrl, {
    debug: () => undefined,
    info: () => undefined,
    warn: () => undefined,
    error: () => undefined,
  });
  const table = new GroupTable(database, { stream: stream.name, group: "g", counts: { settleConflicts: 0 } });
  await table.moveFloor("1790000000000-0", 0);
  expect(await floorOf()).toEqual(after);
  await database.close();
});

test("to the end makes dead letters again of those that were to be handed out again, where the record has them", async () => {
  const keyline = stage.keyline();
  const stream = keyline.stream<N>(`reset-${streams++}`, { transactional: true });
  const dying = stream.consume("g", () => Promise.reject(new Discard("no")), { lease });
  for (const n of upTo(3)) await stream.append({ n });
  const group = stream.group("g");
  await eventually("they are dead", async () => (await group.status().catch(() => undefined))?.dead === 3);
  await dying.stop();
  expect(await group.redrive()).toBe(3);
  expect(await group.status()).toMatchObject({ dead: 0 });
  await group.reset("end");
  await eventually("it is at its end", async () => (await group.status()).lag === 0);
  expect(await group.status()).toMatchObject({ dead: 3, pending: 0, retrying: 0 });
  expect(await group.redrive({ limit: 1 })).toBe(1);
});
