import type { Keyline, Stream } from "keyline";
import pg from "pg";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { collected } from "../../support/collected.ts";
import { eventually, gate, openStage, type Stage } from "../../support/stage.ts";
import { startWireProxy, targetOf, type WireProxy } from "../../support/wire-proxy.ts";

type N = { readonly n: number };

let stage: Stage;
let streams = 0;

beforeAll(async () => {
  stage = await openStage();
  await stage.keyline().migrate();
  await stage.pool.query("CREATE TABLE effects (stream text, n integer, who text)");
});
afterAll(() => stage.close());

const nextName = (): string => `r${streams++}`;
const numbers = (count: number, from = 0): number[] => Array.from({ length: count }, (_, n) => from + n);

function open(name = nextName(), keyline: Keyline = stage.keyline()): Stream<N, N, true> {
  return keyline.stream<N>(name, { transactional: true });
}

async function append(stream: Stream<N, N, true>, values: readonly number[]): Promise<string[]> {
  return (await Promise.all(values.map((n) => stream.append({ n })))).map(({ id }) => id);
}

async function effectsOf(stream: string): Promise<number[]> {
  const { rows } = await stage.pool.query<N>("SELECT n FROM effects WHERE stream = $1 ORDER BY n", [stream]);
  return rows.map(({ n }) => n);
}

async function rowsOf(stream: string): Promise<number> {
  const { rows } = await stage.pool.query<{ rows: number }>(
    "SELECT count(*)::integer AS rows FROM keyline.settled_event WHERE stream = $1",
    [stream],
  );
  return rows[0]?.rows ?? 0;
}

/** Settles one effect for each entry. */
function settleAll(
  stream: Stream<N, N, true>,
  options: {
    readonly who?: string;
    readonly lease?: number;
    readonly concurrency?: number;
    readonly before?: (n: number) => Promise<void> | void;
  } = {},
) {
  const { who = "", before, ...rest } = options;
  const ran: number[] = [];
  const results: boolean[] = [];
  const errors: Error[] = [];
  const consumer = stream.consume(
    "g",
    async ({ data: { n } }, { settle }) => {
      ran.push(n);
      await before?.(n);
      results.push(await settle(async (tx) => void (await tx.query("INSERT INTO effects VALUES ($1, $2, $3)", [stream.name, n, who]))));
    },
    { concurrency: 10, ...rest },
  );
  let completed = 0;
  consumer.on("completed", () => completed++);
  consumer.on("error", (error) => errors.push(error));
  return { ran, results, errors, stop: () => consumer.stop(), completed: () => completed };
}

async function proxied(): Promise<{ readonly proxy: WireProxy; readonly keyline: Keyline }> {
  const proxy = await startWireProxy({ target: targetOf(stage.valkeyUrl) });
  return { proxy, keyline: stage.keyline({ valkey: `valkey://127.0.0.1:${proxy.port}` }) };
}

describe("a settle", () => {
  test("commits the effects and the end of the entry; the floor follows, and what is below it is forgotten", async () => {
    const stream = open();
    const ids = await append(stream, numbers(100));
    const consumer = settleAll(stream);
    await eventually("all are completed", () => consumer.completed() === 100);
    expect(await effectsOf(stream.name)).toEqual(numbers(100));
    expect(consumer.results).toEqual(numbers(100).map(() => true));
    await eventually("the floor is at the end", async () => {
      const { rows } = await stage.pool.query<{ floor: string }>(
        "SELECT ((floor >> 20) || '-' || (floor & 1048575)) AS floor FROM keyline.consumer_group WHERE stream = $1",
        [stream.name],
      );
      return rows[0]?.floor === ids.at(-1);
    });
    await eventually("nothing is kept of what is below", async () => (await rowsOf(stream.name)) === 0);
    expect(await stream.group("g").status()).toMatchObject({ lag: 0, pending: 0, dead: 0 });
    await consumer.stop();
  });

  test("that throws leaves nothing behind, and the entry is run again", async () => {
    const stream = open();
    await append(stream, [1]);
    let attempts = 0;
    const consumer = stream.consume(
      "g",
      async ({ attempt }, { settle }) => {
        attempts = attempt;
        await settle(async (tx) => {
          await tx.query("INSERT INTO effects VALUES ($1, 1, '')", [stream.name]);
          if (attempt === 1) throw new Error("not now");
        });
      },
      { backoff: { type: "fixed", delay: 10, jitter: 0 } },
    );
    await eventually("the effect is there", async () => (await effectsOf(stream.name)).length === 1);
    await consumer.stop();
    expect(attempts).toBe(2);
    expect(await effectsOf(stream.name)).toEqual([1]);
  });

  test("of a consumer that Valkey does not hear any more and of the one that took over: one of them has the effects", async () => {
    const { proxy, keyline } = await proxied();
    const name = nextName();
    const deaf = open(name, keyline);
    const other = open(name, stage.keyline());
    await append(other, [1]);
    const [began, goOn] = [gate(), gate()];
    const first = settleAll(deaf, { who: "first", lease: 500, before: () => (began.open(), goOn.opened) });
    await began.opened;
    proxy.stallAll();
    const second = settleAll(other, { who: "second", lease: 500, before: () => goOn.opened });
    await eventually("the other one has it", () => second.ran.length === 1);
    goOn.open();
    await eventually(
      "both have settled",
      () => first.results.length + first.errors.length > 0 && second.results.length + second.errors.length > 0,
    );
    expect(await effectsOf(name)).toEqual([1]);
    proxy.passAll();
    proxy.cutAll();
    await Promise.all([first.stop(), second.stop()]);
    expect(await effectsOf(name)).toEqual([1]);
    await keyline.close();
    await proxy.stop();
  });

  test("whose consumer dies before Valkey knows is not run again", async () => {
    const { proxy, keyline } = await proxied();
    const name = nextName();
    const [dying, heir] = [open(name, keyline), open(name, stage.keyline())];
    await append(heir, numbers(5));
    const first = settleAll(dying, { lease: 500, concurrency: 10, before: () => proxy.stallAll() });
    await eventually("all are settled", () => first.results.length === 5);
    const second = settleAll(heir, { lease: 500 });
    await eventually("nothing is pending", async () => (await heir.group("g").status()).pending === 0);
    expect(second.ran).toEqual([]);
    expect(await effectsOf(name)).toEqual(numbers(5));
    proxy.passAll();
    proxy.cutAll();
    await Promise.all([first.stop(), second.stop()]);
    await keyline.close();
    await proxy.stop();
  });
});

describe("forgetting what is settled", () => {
  // A settle that has looked at the floor before it moved, and goes by the rows after they were forgotten, would settle twice.
  async function settleAcross(forget: (name: string) => Promise<unknown>): Promise<readonly string[]> {
    const name = nextName();
    const clients = await Promise.all(
      [0, 1].map(async () => {
        const client = new pg.Client({ connectionString: stage.databaseUrl });
        await client.connect();
        return client;
      }),
    );
    const [blocker, late] = clients as [pg.Client, pg.Client];
    const claim = (client: pg.Client | pg.Pool, positions: readonly number[]) =>
      client.query<{ owed: string[] | null }>("SELECT owed::text[] AS owed FROM keyline.settle_events($1, 'g', $2::bigint[], false)", [
        name,
        positions,
      ]);
    await stage.pool.query("INSERT INTO keyline.consumer_group (stream, name, floor) VALUES ($1, 'g', 0)", [name]);
    await blocker.query("BEGIN");
    await claim(blocker, [20]);
    // It has looked at the floor, and waits for the other one to end.
    const claimed = claim(late, [20, 10]);
    await eventually("it waits", async () => {
      const { rows } = await stage.pool.query(
        "SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'",
      );
      return rows.length === 1;
    });
    await claim(stage.pool, [10]);
    await stage.pool.query("UPDATE keyline.consumer_group SET floor = 10 WHERE stream = $1", [name]);
    await forget(name);
    await blocker.query("COMMIT");
    const { rows } = await claimed;
    await Promise.all(clients.map((client) => client.end()));
    return rows[0]?.owed ?? [];
  }

  test("waits for every settle that may have seen the floor before it moved", async () => {
    const owed = await settleAcross(async (name) => {
      for (let round = 0; round < 5; round++) await stage.pool.query("SELECT keyline.forget_settled($1, 'g')", [name]);
    });
    expect(owed).toEqual([]);
  });

  test("at once would settle an event twice", async () => {
    const owed = await settleAcross((name) =>
      stage.pool.query("DELETE FROM keyline.settled_event WHERE stream = $1 AND position <= 10", [name]),
    );
    expect(owed).toEqual(["10"]);
  });

  test("happens when they have ended", async () => {
    const name = nextName();
    await stage.pool.query("INSERT INTO keyline.consumer_group (stream, name, floor) VALUES ($1, 'g', 0)", [name]);
    await stage.pool.query("SELECT keyline.settle_events($1, 'g', '{10,20}', false)", [name]);
    await stage.pool.query("UPDATE keyline.consumer_group SET floor = 10 WHERE stream = $1", [name]);
    await eventually("one of the two is forgotten", async () => {
      await stage.pool.query("SELECT keyline.forget_settled($1, 'g')", [name]);
      return (await rowsOf(name)) === 1;
    });
    const { rows } = await stage.pool.query("SELECT owed FROM keyline.settle_events($1, 'g', '{10,20}', false)", [name]);
    expect(rows).toEqual([{ owed: null }]);
  });
});

describe("a dead letter", () => {
  const bury = async (stream: Stream<N, N, true>, value: number): Promise<void> => {
    const consumer = stream.consume(
      "g",
      ({ data }) => {
        if (data.n === value) throw new TypeError("never");
      },
      { maxAttempts: 1 },
    );
    await eventually(
      "it is dead",
      async () =>
        (
          await stream
            .group("g")
            .status()
            .catch(() => ({ dead: 0 }))
        ).dead === 1,
    );
    await eventually("nothing else is there", async () => {
      const { lag, pending } = await stream.group("g").status();
      return lag + pending === 0;
    });
    await consumer.stop();
  };

  test("is a row with its reason; redriven from below the floor it is settled once, and its floor stays", async () => {
    const stream = open();
    const ids = await append(stream, numbers(3));
    await bury(stream, 1);
    const group = stream.group("g");
    expect(await collected(group.deadLetters())).toMatchObject([{ id: ids[1], data: { n: 1 }, reason: "TypeError: never", attempts: 1 }]);
    await eventually("the floor has passed it", async () => {
      const { rows } = await stage.pool.query(
        "SELECT FROM keyline.consumer_group JOIN keyline.settled_event USING (stream) WHERE stream = $1 AND position < floor",
        [stream.name],
      );
      return rows.length === 1;
    });
    expect(await group.redrive()).toBe(1);
    expect(await group.status()).toMatchObject({ dead: 0, pending: 1, retrying: 1 });
    const consumer = settleAll(stream);
    await eventually("it is settled", () => consumer.completed() === 1);
    expect(consumer.ran).toEqual([1]);
    expect(consumer.results).toEqual([true]);
    expect(await effectsOf(stream.name)).toEqual([1]);
    await eventually("nothing is left of it", async () => (await rowsOf(stream.name)) === 0);
    expect(await group.redrive()).toBe(0);
    await consumer.stop();
  });

  test("is not made of an entry that somebody else had settled when the attempt failed", async () => {
    const stream = open();
    const [id] = await append(stream, numbers(1));
    const [began, goOn] = [gate(), gate()];
    const events: string[] = [];
    const consumer = stream.consume(
      "g",
      async () => {
        began.open();
        await goOn.opened;
        throw new Error("too late");
      },
      { maxAttempts: 1 },
    );
    consumer.on("dead", () => events.push("dead"));
    consumer.on("error", (error) => events.push(error.message));
    await began.opened;
    const settled =
      "INSERT INTO keyline.settled_event (stream, group_name, position) SELECT stream, 'g', position FROM keyline.event WHERE stream = $1";
    await stage.pool.query(settled, [stream.name]);
    goOn.open();
    await eventually("it has ended", async () => (await stream.group("g").status()).pending === 0);
    expect(events).toEqual([`Entry ${id} had ended well for group g when this attempt failed: it is no dead letter`]);
    expect(await collected(stream.group("g").deadLetters())).toEqual([]);
    await consumer.stop();
  });

  test("that was marked to be redriven by a process that died then is handed out by the next consumer", async () => {
    const stream = open();
    await append(stream, numbers(2));
    await bury(stream, 0);
    await stage.pool.query("UPDATE keyline.settled_event SET redriven = true WHERE stream = $1", [stream.name]);
    const ran: number[] = [];
    const consumer = stream.consume("g", ({ data }) => void ran.push(data.n));
    await eventually("it ran", () => ran.length === 1);
    await eventually("it has ended", async () => (await rowsOf(stream.name)) === 0);
    await consumer.stop();
    // It is finished now: nobody hands it out once more.
    const again = stream.consume("g", ({ data }) => void ran.push(data.n));
    await append(stream, [7]);
    await eventually("the next one ran", () => ran.includes(7));
    await again.stop();
    expect(ran).toEqual([0, 7]);
  });
});
