import type { Keyline } from "keyline";
import pg from "pg";
import { afterAll, beforeAll, expect, test } from "vitest";
import { eventually, openStage, untilNoneIsLeft, type Stage } from "../../support/stage.ts";

let stage: Stage;
beforeAll(async () => {
  stage = await openStage();
  await stage.keyline().migrate();
  await stage.pool.query("CREATE TABLE effects (n integer)");
});
afterAll(() => stage.close());

const smallPool = (): { connectionString: string; max: number; connectionTimeoutMillis: number } => ({
  connectionString: stage.databaseUrl,
  max: 4,
  // Long enough for a busy machine to pass one on.
  connectionTimeoutMillis: 1_500,
});
const busy = { code: "POSTGRES_BUSY", message: expect.stringContaining("{ tx }") as string };

/** Opens all connections of the pool: a busy machine may take longer for that than the pool has patience. */
async function openAll(keyline: Keyline, count: number): Promise<void> {
  const hold = (): Promise<unknown> => keyline.transaction((tx) => tx.query("SELECT pg_sleep(0.05)"));
  await eventually("all connections are open", async () => {
    const held = await Promise.allSettled(Array.from({ length: count }, hold));
    return held.every(({ status }) => status === "fulfilled");
  });
}

/** As many transactions as the pool has connections, each of which does this. */
async function inEach(keyline: Keyline, work: () => Promise<unknown>, count = 4): Promise<PromiseSettledResult<unknown>[]> {
  await openAll(keyline, count);
  let begun = 0;
  return Promise.allSettled(
    Array.from({ length: count }, () =>
      keyline.transaction(async () => {
        begun++;
        await eventually("all have their connection", () => begun === count);
        await work();
      }),
    ),
  );
}

async function expectAllFree(): Promise<void> {
  await eventually("no transaction is open", async () => {
    const { rows } = await stage.pool.query(
      "SELECT FROM pg_stat_activity WHERE datname = current_database() AND state LIKE 'idle in transaction%'",
    );
    return rows.length === 0;
  });
}

test.each(["add", "append", "transaction"] as const)(
  "%s within as many transactions as there are connections, without their tx, says so and frees them all",
  async (what) => {
    const keyline = stage.keyline({ postgres: smallPool() });
    const queue = keyline.queue<number>(`forgotten-${what}`, { transactional: true });
    const stream = keyline.stream<number>(`forgotten-${what}`, { transactional: true });
    await queue.add(0);
    const work = { add: () => queue.add(1), append: () => stream.append(1), transaction: () => keyline.transaction(async () => undefined) };
    const ended = await inEach(keyline, work[what]);
    const failed = ended.filter((one) => one.status === "rejected");
    // The first that gives up frees a connection, which may let another one's call through.
    expect(failed.length).toBeGreaterThan(0);
    for (const { reason } of failed) expect(reason).toMatchObject(busy);
    await expectAllFree();
    expect((await queue.add(2)).added).toBe(true);
    await keyline.close();
  },
);

test("within settle it is a failed attempt that says so, and the jobs run when the tx is given", async () => {
  const keyline = stage.keyline({ postgres: smallPool() });
  const other = keyline.queue<number>("other", { transactional: true });
  const queue = keyline.queue<number>("settles", { transactional: true, maxAttempts: 3, backoff: { type: "fixed", delay: 10 } });
  await queue.addMany(Array.from({ length: 20 }, (_, data) => ({ data })));
  await openAll(keyline, smallPool().max);
  const errors: Error[] = [];
  let forgets = true;
  let holding = 0;
  const worker = queue.work(
    (job, { settle }) =>
      settle(async (tx) => {
        await tx.query("INSERT INTO effects VALUES ($1)", [job.data]);
        if (!forgets) return void (await other.add(job.data, { tx }));
        // Else a settle may be over before the next one has begun.
        holding++;
        try {
          await eventually("every connection is held", () => holding >= smallPool().max || !forgets);
          await other.add(job.data);
        } finally {
          holding--;
        }
      }),
    { concurrency: 20 },
  );
  worker.on("retried", (_, error) => {
    if (error) errors.push(error);
    forgets = false;
  });
  await untilNoneIsLeft(
    "all are settled",
    async () => (await stage.pool.query("SELECT FROM keyline.job WHERE queue = 'settles'")).rows.length,
  );
  expect(errors.length).toBeGreaterThan(0);
  for (const error of errors) expect(error).toMatchObject(busy);
  const { rows } = await stage.pool.query<{ n: number }>("SELECT n FROM effects ORDER BY n");
  expect(rows.map(({ n }) => n)).toEqual(Array.from({ length: 20 }, (_, n) => n));
  await keyline.close();
}, 180_000);

test("a pool of the caller's without a deadline of its own has one all the same", async () => {
  const pool = new pg.Pool({ connectionString: stage.databaseUrl, max: 2 });
  const keyline = stage.keyline({ postgres: pool });
  const queue = keyline.queue<number>("no-deadline", { transactional: true });
  await queue.add(0);
  const ended = await inEach(keyline, () => queue.add(1), 2);
  expect(ended.filter((one) => one.status === "rejected").length).toBeGreaterThan(0);
  await expectAllFree();
  await keyline.close();
  await pool.end();
});

test("a wait goes on as long as connections change hands", async () => {
  const keyline = stage.keyline({ postgres: { ...smallPool(), max: 2 } });
  const queue = keyline.queue<number>("patient", { transactional: true });
  await queue.add(0);
  // Three seconds for all of them, which is twice as long as anybody waits for a connection of which none is passed on.
  const sleep = () => keyline.transaction((tx) => tx.query("SELECT pg_sleep(0.2)"));
  const all = Array.from({ length: 30 }, () => sleep());
  await expect(queue.add(1)).resolves.toMatchObject({ added: true });
  await Promise.all(all);
  await keyline.close();
});

test("a queue's first look at what was delivered needs one connection, also while all others are held", async () => {
  const keyline = stage.keyline({ postgres: { ...smallPool(), max: 2 } });
  const queue = keyline.queue<number>("one-of-two", { transactional: true });
  await keyline.transaction(async () => {
    await queue.add(1);
    const text = "SELECT FROM keyline.queue WHERE name = $1 AND rebuilt_epoch <> ''";
    await eventually("it has looked", async () => (await stage.pool.query(text, [queue.name])).rows.length === 1);
  });
  await keyline.close();
});
