import type { Stream, StreamGap, Transaction } from "keyline";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { startValkey } from "@keyline/embedded";
import { eventually, gate, openStage, type Stage } from "../support/stage.ts";

let stage: Stage;

beforeAll(async () => {
  stage = await openStage();
  await stage.keyline().migrate();
});

beforeEach(async () => {
  // No unique key: it would hide an entry that took effect twice.
  await stage.pool.query("DROP TABLE IF EXISTS seen; CREATE TABLE seen (entry text, n integer, place bigserial)");
});

afterAll(() => stage.close());

function upTo(count: number): number[] {
  return Array.from({ length: count }, (_, index) => index);
}

async function note(tx: Transaction, entries: readonly { readonly id: string; readonly data: number }[]): Promise<void> {
  await tx.query("INSERT INTO seen (entry, n) SELECT * FROM unnest($1::text[], $2::integer[])", [
    entries.map(({ id }) => id),
    entries.map(({ data }) => data),
  ]);
}

async function seen(pool = stage.pool): Promise<number[]> {
  return (await pool.query<{ n: number }>("SELECT n FROM seen ORDER BY place")).rows.map(({ n }) => n);
}

describe.each([{ transactional: true }, { transactional: false }] as const)("a projection ($transactional)", ({ transactional }) => {
  const open = (name: string, on = stage): Stream<number> => openStream(on, name, transactional);

  test("keeps a table from the beginning of the stream on, each entry once and in order", async () => {
    const stream = open(`kept-${transactional}`);
    await stream.appendMany(upTo(700));
    const projection = stream.project("kept", note, { size: 100 });
    const appending = Promise.all(upTo(700).map((n) => stream.append(700 + n)));
    await appending;
    await projection.caughtUp();
    expect(await seen()).toEqual(upTo(1_400));
    expect(await projection.progress()).toMatchObject({ entries: 1_400 });
    await projection.stop();
    await stream.append(1_400);
    const again = stream.project("kept", note);
    await again.caughtUp();
    expect(await seen()).toEqual(upTo(1_401));
    await again.stop();
  });

  test("lets what stands before an entry that fails get through, and stays in front of it", async () => {
    const stream = open(`failing-${transactional}`);
    await stream.appendMany(upTo(100));
    let isBroken = true;
    const errors: Error[] = [];
    const projection = stream.project("failing", async (tx, entries) => {
      await note(tx, entries);
      if (isBroken && entries.some(({ data }) => data === 37)) throw new Error("thirty-seven");
    });
    projection.on("error", (error) => errors.push(error));
    await eventually("all before it are in the table", async () => (await seen()).length === 37);
    await eventually("it is tried again", () => errors.length > 8);
    expect(await seen()).toEqual(upTo(37));
    expect(new Set(errors.map((error) => error.message))).toEqual(new Set(["thirty-seven"]));
    isBroken = false;
    await projection.caughtUp();
    expect(await seen()).toEqual(upTo(100));
    await projection.stop();
  });

  test("is run by one of many processes at a time, and taken over when its connection breaks", async () => {
    const streams = upTo(3).map(() => open(`taken-${transactional}`));
    let busy: symbol | undefined;
    let overlaps = 0;
    let breaks = 0;
    const projections = streams.map((stream) =>
      stream.project(
        "taken",
        async (tx, entries) => {
          if (busy) overlaps++;
          const mine = Symbol("busy");
          busy = mine;
          try {
            await note(tx, entries);
            if (entries[0] && entries[0].data % 50 === 0 && breaks < 5) {
              breaks++;
              // Whoever takes over may begin before this one learns that its connection is gone.
              busy = undefined;
              await stage.pool.query(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE state = 'idle in transaction' AND datname = current_database()",
              );
              await tx.query("SELECT 1");
            }
          } finally {
            if (busy === mine) busy = undefined;
          }
        },
        { size: 10 },
      ),
    );
    const writer = open(`taken-${transactional}`);
    await Promise.all(upTo(500).map((n) => writer.append(n)));
    await Promise.all(projections.map((projection) => projection.caughtUp()));
    expect(await seen()).toEqual(upTo(500));
    expect(breaks).toBe(5);
    expect(overlaps).toBe(0);
    await Promise.all(projections.map((projection) => projection.stop()));
  });

  test("is rebuilt from the beginning on request, with progress", async () => {
    const stream = open(`rebuilt-${transactional}`);
    await stream.appendMany(upTo(1_000));
    let factor = 1;
    const projection = stream.project(
      "rebuilt",
      (tx, entries) =>
        note(
          tx,
          entries.map((entry) => ({ ...entry, data: entry.data * factor })),
        ),
      { size: 100, reset: async (tx) => void (await tx.query("DELETE FROM seen")) },
    );
    await projection.caughtUp();
    factor = 2;
    const shares: string[] = [];
    await projection.rebuild({ onProgress: ({ done, total }) => shares.push(`${done} of ${total}`) });
    expect(await seen()).toEqual(upTo(1_000).map((n) => 2 * n));
    expect(shares.at(-1)).toBe("1000 of 1000");
    const keeping = stream.project("no-reset", note);
    await expect(keeping.rebuild()).rejects.toMatchObject({ code: "INVALID_OPTION" });
    await Promise.all([projection.stop(), keeping.stop()]);
  });
});

describe("a projection", () => {
  test("ends a page that takes too long, and tries again", async () => {
    const stream = openStream(stage, "overdue", true);
    await stream.append(1);
    const never = gate();
    let calls = 0;
    const errors: unknown[] = [];
    const projection = stream.project(
      "overdue",
      async (tx, entries) => {
        if (calls++ === 0) await never.opened;
        await note(tx, entries);
      },
      { timeout: 300 },
    );
    projection.on("error", (error) => errors.push(error));
    await projection.caughtUp();
    expect(errors).toEqual([expect.objectContaining({ code: "TIMEOUT" })]);
    expect(await seen()).toEqual([1]);
    never.open();
    await projection.stop();
    expect(await seen()).toEqual([1]);
  });

  test("stays where it is, and says so, when a plain stream lost what it had not read", async () => {
    const stream = stage.keyline().stream<number>("plain-loss", { retention: { hard: { maxLength: 10 }, maxLength: 10 } });
    const first = stream.project("lossy", note);
    await stream.append(0);
    await first.caughtUp();
    await first.stop();
    await stream.appendMany(upTo(100));
    await eventually("it is trimmed", async () => (await stage.valkey.xlen(`${stage.prefix}:{plain-loss}:events`)) === 10);
    const errors: unknown[] = [];
    const second = stream.project("lossy", note);
    second.on("error", (error) => errors.push(error));
    await eventually("it says so", () => errors.length > 0);
    expect(errors[0]).toMatchObject({ code: "GAP" });
    await second.stop();
    const gaps: StreamGap[] = [];
    const third = stream.project("lossy", note, { onGap: (gap) => gaps.push(gap) });
    await third.caughtUp();
    expect(gaps).toMatchObject([{ stream: "plain-loss", reason: "trimmed" }]);
    expect(await seen()).toEqual([0, ...upTo(100).slice(90)]);
    await third.stop();
  });

  test("goes on without Valkey, and after it lost everything", async () => {
    const valkey = await startValkey();
    const own = await openStage({ valkeyUrl: valkey.url });
    try {
      await own.keyline().migrate();
      await own.pool.query("CREATE TABLE seen (entry text, n integer, place bigserial)");
      const stream = openStream(own, "away", true);
      const projection = stream.project("away", note);
      await stream.append(0);
      await projection.caughtUp();
      await valkey.kill();
      await stream.append(1);
      await projection.caughtUp();
      await valkey.restart();
      await stream.append(2);
      await own.valkey.flushall();
      await stream.append(3);
      await projection.caughtUp();
      expect(await seen(own.pool)).toEqual([0, 1, 2, 3]);
    } finally {
      await own.close();
      await valkey.stop();
    }
  });

  test("refuses bad options, and a Keyline without PostgreSQL", async () => {
    const stream = openStream(stage, "refusing", true);
    expect(() => stream.project("bad name", note)).toThrow(expect.objectContaining({ code: "INVALID_NAME" }));
    expect(() => stream.project("p", note, { size: 0 })).toThrow(expect.objectContaining({ code: "INVALID_OPTION" }));
    expect(() => stream.project("p", note, { batch: 1 } as never)).toThrow(expect.objectContaining({ code: "INVALID_OPTION" }));
    const plain = stage.keyline({ postgres: undefined as never }).stream<number>("refusing-plain");
    expect(() => plain.project("p", note)).toThrow(expect.objectContaining({ code: "POSTGRES_REQUIRED" }));
  });
});

function openStream(on: Stage, name: string, transactional: boolean): Stream<number> {
  return transactional ? on.keyline().stream<number>(name, { transactional: true }) : on.keyline().stream<number>(name);
}
