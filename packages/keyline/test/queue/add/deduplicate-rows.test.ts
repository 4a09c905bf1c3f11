import type { AddOptions, Queue } from "keyline";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { startProcess } from "../../support/processes.ts";
import { eventually, openStage, type Stage } from "../../support/stage.ts";

let stage: Stage;

beforeAll(async () => {
  stage = await openStage();
  await stage.keyline().migrate();
});

afterAll(() => stage.close());

const hour = 3_600_000;
const open = (name: string, options: object = {}): Queue<number, number, true> =>
  stage.keyline().queue<number>(name, { transactional: true, backoff: () => 30, ...options });
const latest = (window: number): AddOptions => ({ deduplicate: { key: "k", window, keep: "latest" } });

describe.each([
  { name: "key", options: { deduplicate: { key: "k" } } },
  { name: "window", options: { deduplicate: { key: "k", window: hour } } },
  { name: "latest", options: latest(hour) },
])("within a transaction ($name)", ({ name, options }) => {
  test("a roll-back frees the key, and so does one to a savepoint", async () => {
    const queue = open(`rolled-back-${name}`);
    const keyline = stage.keyline();
    const within = keyline.transaction(async (tx) => {
      expect((await queue.add(1, { tx, ...options })).added).toBe(true);
      throw new Error("back");
    });
    await expect(within).rejects.toThrow("back");
    const { id } = await keyline.transaction(async (tx) => {
      await tx.query("SAVEPOINT before");
      expect((await queue.add(2, { tx, ...options })).added).toBe(true);
      await tx.query("ROLLBACK TO SAVEPOINT before");
      const third = await queue.add(3, { tx, ...options });
      expect(third.added).toBe(true);
      return third;
    });
    expect(await queue.add(4, options)).toEqual({ id, added: false });
    expect((await rowsOf(queue.name)).map((row) => row.id)).toEqual([id]);
  });

  test("a second add sees the first, in the same call and in the next one", async () => {
    const queue = open(`twice-${name}`);
    await stage.keyline().transaction(async (tx) => {
      const [first, second] = await queue.addMany(
        [
          { data: 1, ...options },
          { data: 2, ...options },
        ],
        { tx },
      );
      expect([first?.added, second]).toEqual([true, { id: first?.id, added: false }]);
      expect(await queue.add(3, { tx, ...options })).toEqual({ id: first?.id, added: false });
    });
    expect((await rowsOf(queue.name)).map(({ data }) => data)).toEqual([name === "latest" ? 3 : 1]);
  });

  test("of two that are open at once the second one waits for the end of the first", async () => {
    const queue = open(`both-${name}`);
    for (const ends of ["ROLLBACK", "COMMIT"]) {
      await stage.pool.query("DELETE FROM keyline.job; DELETE FROM keyline.deduplication");
      const clients = await Promise.all([stage.pool.connect(), stage.pool.connect()]);
      const [one, two] = clients;
      for (const client of clients) await client.query("BEGIN");
      const first = await queue.add(1, { tx: one, ...options });
      expect(first.added).toBe(true);
      const { rows } = await two.query<{ pid: number }>("SELECT pg_backend_pid() AS pid");
      const second = queue.add(2, { tx: two, ...options });
      await eventually("it waits", async () => {
        const text = "SELECT wait_event_type FROM pg_stat_activity WHERE pid = $1";
        return (await stage.pool.query<{ wait_event_type: string | null }>(text, [rows[0]?.pid])).rows[0]?.wait_event_type === "Lock";
      });
      await one.query(ends);
      const { id, added } = await second;
      expect(added).toBe(ends === "ROLLBACK");
      expect(id === first.id).toBe(ends === "COMMIT");
      await two.query("COMMIT");
      for (const client of clients) client.release();
      expect((await rowsOf(queue.name)).map((row) => row.id)).toEqual([id]);
    }
  });
});

test("the settle of a job frees its key: the next one can be added in the same transaction", async () => {
  const queue = open("chain");
  const ran: number[] = [];
  const worker = queue.work(async ({ data }, { settle }) => {
    ran.push(data);
    await settle(async (tx) => {
      if (data < 3) expect((await queue.add(data + 1, { tx, deduplicate: { key: "k" } })).added).toBe(true);
    });
  });
  await queue.add(1, { deduplicate: { key: "k" } });
  await eventually("all have run", () => ran.length === 3);
  expect(ran).toEqual([1, 2, 3]);
  await worker.stop();
});

test("what replaces data counts when it is committed: until then the job does not run, and after a roll-back as it was", async () => {
  for (const ends of ["COMMIT", "ROLLBACK"]) {
    const queue = open(`open-${ends}`);
    const ran: number[] = [];
    const worker = queue.work(({ data }) => void ran.push(data));
    const { id } = await queue.add(1, latest(1_500));
    const client = await stage.pool.connect();
    await client.query("BEGIN");
    const second = await queue.add(2, { tx: client, ...latest(100) });
    expect(second).toEqual({ id, added: false });
    await eventually("the first time has come, and the worker has looked at the row", async () => {
      const text = "SELECT due_at < clock_timestamp() - interval '300 milliseconds' AS is_past FROM keyline.job WHERE id = $1";
      return (await stage.pool.query<{ is_past: boolean }>(text, [id])).rows[0]?.is_past === true;
    });
    expect(ran).toEqual([]);
    await client.query(ends);
    client.release();
    await eventually("it has run", () => ran.length === 1);
    expect(ran).toEqual([ends === "COMMIT" ? 2 : 1]);
    await worker.stop();
  }
});

test("keys, data and times survive the loss of Valkey", async () => {
  const queue = open("lost");
  const [keyed, held, kept] = await queue.addMany([
    { data: 1, deduplicate: { key: "k" } },
    { data: 2, deduplicate: { key: "k", window: hour } },
    { data: 3, ...latest(hour) },
  ]);
  expect((await queue.add(4, latest(hour - 1))).id).toBe(kept?.id);
  await eventually("they are on Valkey", async () => {
    const { waiting, scheduled } = await queue.counts();
    return waiting === 2 && scheduled >= 1;
  });
  await stage.valkey.del(await stage.valkey.keys(`${stage.prefix}:{lost}:*`));
  expect(await queue.add(5, { deduplicate: { key: "k" } })).toEqual({ id: keyed?.id, added: false });
  expect(await queue.add(6, { deduplicate: { key: "k", window: hour } })).toEqual({ id: held?.id, added: false });
  await eventually("they are on Valkey again", async () => {
    const { waiting, scheduled } = await queue.counts();
    return waiting === 2 && scheduled === 1;
  });
  // What was brought again can still be replaced: its worker asks the row, here as if its time had come.
  const scheduled = `${stage.prefix}:{lost}:scheduled`;
  const [element = ""] = await stage.valkey.zrange(scheduled, 0, 0);
  await stage.valkey.zadd(scheduled, 1, element);
  expect((await queue.add(7, latest(hour))).id).toBe(kept?.id);
  const ran: number[] = [];
  const worker = queue.work(({ data }) => void ran.push(data));
  await eventually("it has gone back for the rest of its time", async () => {
    const [moved = "{}", due = 0] = await stage.valkey.zrange(scheduled, 0, 0, "WITHSCORES");
    return (JSON.parse(moved) as { id?: string }).id === kept?.id && Number(due) > Date.now() + hour / 2;
  });
  expect((await queue.add(8, latest(10))).id).toBe(kept?.id);
  await eventually("all have run", () => ran.length === 3);
  expect(new Set(ran)).toEqual(new Set([1, 2, 8]));
  await worker.stop();
});

test("a job that had begun when its worker was killed keeps its data, and a new one gets the next", async () => {
  const queue = open("killed", { lease: 500 });
  const { valkeyUrl: valkey, databaseUrl: postgres, prefix } = stage;
  const holder = startProcess("keyed-holder.ts", { valkey, postgres, prefix, queue: "killed", transactional: true, lease: 500 });
  const first = await queue.add(1, latest(300));
  expect((await queue.add(2, latest(50))).id).toBe(first.id);
  await eventually("it runs", () => holder.lines.some((line) => line["started"] === first.id));
  holder.signal("SIGKILL");
  await holder.exited;
  const second = await queue.add(3, latest(50));
  expect(second.added).toBe(true);
  const ran = new Map<string, number>();
  const worker = queue.work(({ id, data }) => void ran.set(id, data));
  await eventually("both have run", () => ran.size === 2);
  expect(ran).toEqual(
    new Map([
      [first.id, 2],
      [second.id, 3],
    ]),
  );
  await worker.stop();
});

test("keys whose time is over are removed by later adds", async () => {
  const queue = open("swept");
  const keys = Array.from({ length: 1_200 }, (_, index) => `key ${index}`);
  await queue.addMany(keys.map((key, data) => ({ data, deduplicate: { key, window: 1 } })));
  await eventually("none is left but the last one's", async () => {
    await queue.add(0, { deduplicate: { key: "last", window: hour } });
    const { rows } = await stage.pool.query<{ key: string }>("SELECT key FROM keyline.deduplication WHERE queue = 'swept'");
    return rows.length === 1 && rows[0]?.key === "last";
  });
});

test("two that add the same keys in opposite orders do not stand in each other's way", async () => {
  const queues = [open("opposite"), open("opposite")];
  const keys = Array.from({ length: 200 }, (_, index) => `key ${index}`);
  const before = await deadlocks();
  for (const form of [{}, { window: hour }, { window: hour, keep: "latest" }]) {
    for (let round = 0; round < 5; round++) {
      const name = (key: string): string => `${key}, ${round}`;
      const [ones, others] = await Promise.all(
        queues.map((queue, index) =>
          queue.addMany(
            (index === 0 ? keys : keys.toReversed()).map((key) => ({
              data: index,
              deduplicate: { key: name(key), ...form } as { key: string },
            })),
          ),
        ),
      );
      expect(ones?.map(({ id }) => id)).toEqual(others?.map(({ id }) => id).toReversed());
      expect([...(ones ?? []), ...(others ?? [])].filter(({ added }) => added)).toHaveLength(keys.length);
    }
  }
  expect(await deadlocks()).toBe(before);
});

async function deadlocks(): Promise<number> {
  const text = "SELECT deadlocks::float8 AS deadlocks FROM pg_stat_database WHERE datname = current_database()";
  return (await stage.pool.query<{ deadlocks: number }>(text)).rows[0]?.deadlocks ?? -1;
}

async function rowsOf(queue: string): Promise<{ readonly id: string; readonly data: number }[]> {
  return (await stage.pool.query<{ id: string; data: number }>("SELECT id, data FROM keyline.job WHERE queue = $1", [queue])).rows;
}
