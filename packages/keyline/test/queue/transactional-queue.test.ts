import pg from "pg";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { KeylineError, Snooze, type Keyline, type Queue } from "keyline";
import { eventually, gate, openStage, type Stage } from "../support/stage.ts";

let stage: Stage;
let keyline: Keyline;
beforeAll(async () => {
  stage = await openStage();
  keyline = stage.keyline();
  await keyline.migrate();
  // Without a unique constraint, so that a duplicate shows.
  await stage.pool.query("CREATE TABLE effects (queue text, n integer)");
});
afterAll(() => stage.close());

let queues = 0;
type N = { readonly n: number };
const nextQueue = (): Queue<N, N, true> =>
  keyline.queue<N>(`t${queues++}`, { transactional: true, maxAttempts: 3, backoff: { type: "fixed", delay: 10, jitter: 0 } });
const write = (tx: pg.PoolClient, queue: string, n: number): Promise<unknown> =>
  tx.query("INSERT INTO effects VALUES ($1, $2)", [queue, n]);

async function effectsOf(queue: string): Promise<number[]> {
  const { rows } = await stage.pool.query<{ n: number }>("SELECT n FROM effects WHERE queue = $1 ORDER BY n", [queue]);
  return rows.map((row) => row.n);
}

async function rowsOf(
  queue: string,
): Promise<{ id: string; state: string; attempts: number; last_error: string | null; delivered_to: string | null }[]> {
  const { rows } = await stage.pool.query(
    "SELECT id, state, attempts, last_error, delivered_to FROM keyline.job WHERE queue = $1 ORDER BY seq",
    [queue],
  );
  return rows;
}

const waiting = (queue: string): Promise<string[]> => stage.valkey.lrange(`${stage.prefix}:{${queue}}:waiting`, 0, -1);

describe("adding", () => {
  test("within a transaction is visible after COMMIT, and never after ROLLBACK", async () => {
    const queue = nextQueue();
    const failure = keyline.transaction(async (tx) => {
      await write(tx, queue.name, 0);
      await queue.add({ n: 0 }, { tx });
      throw new Error("changed my mind");
    });
    await expect(failure).rejects.toThrow("changed my mind");
    const { id } = await keyline.transaction(async (tx) => {
      await write(tx, queue.name, 1);
      const result = await queue.add({ n: 1 }, { tx });
      expect(await waiting(queue.name)).toEqual([]);
      return result;
    });
    await eventually("it is on Valkey", async () => (await waiting(queue.name)).length === 1);
    expect((await waiting(queue.name)).map((raw) => JSON.parse(raw))).toMatchObject([{ id, data: { n: 1 } }]);
    expect(await rowsOf(queue.name)).toMatchObject([{ id, state: "waiting", attempts: 0 }]);
    expect(await effectsOf(queue.name)).toEqual([1]);
  });

  test("with a foreign client's own BEGIN and COMMIT goes out at the COMMIT, without the relay", async () => {
    const queue = nextQueue();
    const client = new pg.Client({ connectionString: stage.databaseUrl });
    await client.connect();
    await client.query("BEGIN");
    await queue.add({ n: 1 }, { tx: client });
    await client.query("COMMIT");
    await eventually("it is on Valkey", async () => (await waiting(queue.name)).length === 1);
    // The relay marks what it brings with "again".
    expect((await waiting(queue.name))[0]).not.toContain('"again"');
    await client.query("BEGIN");
    await queue.add({ n: 2 }, { tx: client });
    await client.query("ROLLBACK");
    await client.query("BEGIN");
    await queue.add({ n: 3 }, { tx: client });
    await client.query("SELECT 1/0").catch(() => undefined);
    await client.query("COMMIT");
    await client.query("BEGIN");
    await queue.add({ n: 4 }, { tx: client });
    await client.query("SAVEPOINT here");
    await queue.add({ n: 5 }, { tx: client });
    await client.query("ROLLBACK TO SAVEPOINT here");
    await queue.add({ n: 6 }, { tx: client });
    await client.query("COMMIT");
    await eventually("what was committed is on Valkey", async () => (await waiting(queue.name)).length >= 3);
    await new Promise((resolve) => setTimeout(resolve, 1_500));
    const data = (await waiting(queue.name)).map((raw) => (JSON.parse(raw) as { data: N }).data.n);
    expect(data.toReversed()).toEqual([1, 4, 6]);
    await client.end();
  });

  test("with a client whose connection cannot be seen is brought by the relay", async () => {
    const queue = nextQueue();
    const client = await stage.pool.connect();
    const wrapper = { query: (text: string, values?: unknown[]) => client.query(text, values) };
    await client.query("BEGIN");
    await queue.add({ n: 1 }, { tx: wrapper });
    await client.query("COMMIT");
    client.release();
    await eventually("it is on Valkey", async () => (await waiting(queue.name)).length === 1);
    expect((await waiting(queue.name))[0]).toContain('"again":true');
  });

  test("with a client that is in no transaction is refused, and nothing is written", async () => {
    const queue = nextQueue();
    const client = new pg.Client({ connectionString: stage.databaseUrl });
    await client.connect();
    await expect(queue.add({ n: 1 }, { tx: client })).rejects.toMatchObject({ code: "NOT_IN_TRANSACTION" });
    // @ts-expect-error: a pool is no transaction
    await expect(queue.add({ n: 1 }, { tx: stage.pool })).rejects.toMatchObject({ code: "NOT_IN_TRANSACTION" });
    expect(await rowsOf(queue.name)).toEqual([]);
    await client.end();
  });

  test("without a transaction is committed when it resolves, and coalesced", async () => {
    const queue = nextQueue();
    const results = await Promise.all(Array.from({ length: 200 }, (_, n) => queue.add({ n })));
    expect((await rowsOf(queue.name)).map((row) => row.id)).toEqual(results.map((result) => result.id));
    await eventually("all are on Valkey", async () => (await waiting(queue.name)).length === 200);
  });

  test("with an id that is still known adds nothing, until the job is settled", async () => {
    const queue = nextQueue();
    expect(await queue.add({ n: 1 }, { id: "mine" })).toEqual({ id: "mine", added: true });
    expect(await queue.add({ n: 2 }, { id: "mine" })).toEqual({ id: "mine", added: false });
    expect(
      await queue.addMany([
        { data: { n: 3 }, id: "x" },
        { data: { n: 4 }, id: "x" },
      ]),
    ).toEqual([
      { id: "x", added: true },
      { id: "x", added: false },
    ]);
    await keyline.transaction(async (tx) => {
      expect(await queue.add({ n: 5 }, { id: "mine", tx })).toEqual({ id: "mine", added: false });
    });
    const worker = queue.work((job, { settle }) => settle((tx) => write(tx, queue.name, job.data.n).then(() => undefined)));
    await eventually("both are settled", async () => (await effectsOf(queue.name)).length === 2);
    await eventually("the row is gone", async () => (await rowsOf(queue.name)).length === 0);
    expect(await effectsOf(queue.name)).toEqual([1, 3]);
    expect(await queue.add({ n: 6 }, { id: "mine" })).toEqual({ id: "mine", added: true });
    await eventually("it is settled too", async () => (await effectsOf(queue.name)).length === 3);
    await worker.stop();
  });

  test("notes deliveries late, and only those of jobs that wait", async () => {
    const queue = nextQueue();
    await queue.add({ n: 1 });
    await eventually("its delivery is noted", async () => (await rowsOf(queue.name))[0]?.delivered_to !== null);
  });

  test("two transactions that commit in the opposite order of their ids are both delivered while the relay runs", async () => {
    const queue = nextQueue();
    // Wrapped, so that only the relay can deliver.
    const hidden = (client: pg.PoolClient): { query: (text: string, values?: unknown[]) => Promise<pg.QueryResult> } => ({
      query: (text, values) => client.query(text, values),
    });
    const [first, second] = [await stage.pool.connect(), await stage.pool.connect()];
    await first.query("BEGIN");
    await second.query("BEGIN");
    await queue.add({ n: 1 }, { tx: hidden(first) });
    await queue.add({ n: 2 }, { tx: hidden(second) });
    await second.query("COMMIT");
    await eventually("the later id is delivered", async () => (await waiting(queue.name)).length === 1);
    await new Promise((resolve) => setTimeout(resolve, 1_500));
    await first.query("COMMIT");
    await eventually("the earlier id is delivered too", async () => (await waiting(queue.name)).length === 2);
    first.release();
    second.release();
  });
});

describe("settling", () => {
  test("commits the effects and the end of the job together", async () => {
    const queue = nextQueue();
    const completed = gate();
    const worker = queue.work(async (job, { settle }) => {
      const isOurs = await settle(async (tx) => {
        await write(tx, queue.name, job.data.n);
        expect(await rowsOf(queue.name)).toHaveLength(1);
      });
      expect(isOurs).toBe(true);
    });
    worker.on("completed", () => completed.open());
    await queue.add({ n: 7 });
    await completed.opened;
    expect(await rowsOf(queue.name)).toEqual([]);
    expect(await effectsOf(queue.name)).toEqual([7]);
    await worker.stop();
  });

  test("a handler that returns without it completes its job", async () => {
    const queue = nextQueue();
    let completed = 0;
    const worker = queue.work(() => undefined, { concurrency: 20 });
    worker.on("completed", () => completed++);
    await queue.addMany(Array.from({ length: 100 }, (_, n) => ({ data: { n } })));
    await eventually("all are completed", () => completed === 100);
    expect(await rowsOf(queue.name)).toEqual([]);
    await worker.stop();
  });

  test("effects that throw are rolled back, and the job is tried again, also when the handler catches the error", async () => {
    const queue = nextQueue();
    const done = gate();
    const worker = queue.work(async (job, { settle }) => {
      await settle(async (tx) => {
        await write(tx, queue.name, job.attempt);
        if (job.attempt < 3) throw new Error("constraint");
      }).catch(() => undefined);
    });
    worker.on("completed", () => done.open());
    await queue.add({ n: 0 });
    await done.opened;
    expect(await effectsOf(queue.name)).toEqual([3]);
    await worker.stop();
  });

  test("a statement that fails and is caught does not pass for a commit", async () => {
    const queue = nextQueue();
    const dead = Promise.withResolvers<Error>();
    const worker = queue.work((_, { settle }) =>
      settle(async (tx) => {
        await write(tx, queue.name, 1);
        await tx.query("SELECT 1/0").catch(() => undefined);
      }),
    );
    worker.on("dead", (_, error) => dead.resolve(error));
    await queue.add({ n: 1 });
    expect((await dead.promise).message).toContain("rolled all of it back");
    expect(await effectsOf(queue.name)).toEqual([]);
    await worker.stop();
  });

  test("a job that was settled before has its effects left out, and the settle says so", async () => {
    const queue = nextQueue();
    const answers: boolean[] = [];
    const errors: Error[] = [];
    const worker = queue.work(
      async (job, { settle }) => {
        answers.push(await settle(async (tx) => void (await write(tx, queue.name, job.data.n))));
      },
      { concurrency: 2 },
    );
    worker.on("error", (error) => errors.push(error));
    const raw = JSON.stringify({ id: "twice", data: { n: 1 } });
    await stage.pool.query("INSERT INTO keyline.job (queue, id, data, delivered_to) VALUES ($1, 'twice', '{\"n\":1}', 'x')", [queue.name]);
    await stage.valkey.lpush(`${stage.prefix}:{${queue.name}}:waiting`, raw, raw, raw);
    await eventually("all three ran", () => answers.length === 3);
    expect(answers.filter((isOurs) => isOurs)).toHaveLength(1);
    expect(await effectsOf(queue.name)).toEqual([1]);
    await eventually("the others said so", () => errors.length === 2);
    expect(errors).toEqual([expect.objectContaining({ code: "LEASE_LOST" }), expect.objectContaining({ code: "LEASE_LOST" })]);
    await worker.stop();
    expect(await queue.counts()).toMatchObject({ waiting: 0, running: 0, scheduled: 0, dead: 0 });
  });

  test("calling settle twice is an error", async () => {
    const queue = nextQueue();
    const second = Promise.withResolvers<unknown>();
    const worker = queue.work(async (_, { settle }) => {
      await settle(async () => undefined);
      await settle(async () => undefined).catch((error: unknown) => second.resolve(error));
    });
    await queue.add({ n: 1 });
    expect(await second.promise).toMatchObject({ code: "ALREADY_SETTLED" });
    await worker.stop();
  });

  test("conflicting transactions are tried again as a whole, and do not count as a failed attempt", async () => {
    const queue = nextQueue();
    await stage.pool.query("CREATE TABLE counters (name text PRIMARY KEY, value integer)");
    await stage.pool.query("INSERT INTO counters VALUES ('a', 0), ('b', 0)");
    const attempts: number[] = [];
    const worker = queue.work(
      async (job, { settle }) => {
        attempts.push(job.attempt);
        const [one, other] = job.data.n % 2 === 0 ? ["a", "b"] : ["b", "a"];
        await settle(async (tx) => {
          await tx.query("UPDATE counters SET value = value + 1 WHERE name = $1", [one]);
          await new Promise((resolve) => setTimeout(resolve, 5));
          await tx.query("UPDATE counters SET value = value + 1 WHERE name = $1", [other]);
        });
      },
      { concurrency: 4 },
    );
    await stage.pool.query(`ALTER DATABASE ${stage.prefix} SET deadlock_timeout = '10ms'`);
    await queue.addMany(Array.from({ length: 20 }, (_, n) => ({ data: { n } })));
    await eventually("all are settled", async () => (await rowsOf(queue.name)).length === 0, 60_000);
    const { rows } = await stage.pool.query("SELECT value FROM counters");
    expect(rows).toEqual([{ value: 20 }, { value: 20 }]);
    expect(attempts.every((attempt) => attempt === 1)).toBe(true);
    await worker.stop();
  }, 90_000);

  test("many at once share transactions: effects that fail take no neighbour down, and every job is settled once", async () => {
    const queue = nextQueue();
    const transactions = new Set<string>();
    const retried: number[] = [];
    const worker = queue.work(
      async (job, { settle }) => {
        await settle(async (tx) => {
          const { rows } = await tx.query<{ xid: string }>("SELECT pg_current_xact_id()::text AS xid");
          await write(tx, queue.name, job.data.n);
          if (job.data.n % 17 === 0 && job.attempt === 1) throw new Error("unlucky");
          transactions.add(rows[0]?.xid ?? "");
        });
      },
      { concurrency: 40 },
    );
    worker.on("retried", (job) => retried.push(job.data.n));
    // On a busy machine effects may be so slow that each is settled alone: then there are more of them, until some have shared.
    let count = 0;
    while (count === 0 || (transactions.size === count && count < 4_000)) {
      await queue.addMany(Array.from({ length: 400 }, () => ({ data: { n: count++ } })));
      await eventually("all are settled", async () => (await rowsOf(queue.name)).length === 0);
    }
    const numbers = Array.from({ length: count }, (_, n) => n);
    expect(await effectsOf(queue.name)).toEqual(numbers);
    expect(retried.toSorted((one, other) => one - other)).toEqual(numbers.filter((n) => n % 17 === 0));
    expect(transactions.size).toBeLessThan(count);
    await worker.stop();
  });

  test("jobs that are on the queue twice and share transactions have their effects once, and so have their neighbours", async () => {
    const queue = nextQueue();
    const numbers = Array.from({ length: 60 }, (_, n) => n);
    await queue.addMany(numbers.map((n) => ({ data: { n } })));
    await eventually("all are on Valkey", async () => (await waiting(queue.name)).length === 60);
    const raws = await waiting(queue.name);
    await stage.valkey.rpush(`${stage.prefix}:{${queue.name}}:waiting`, ...raws.filter((_, index) => index % 3 === 0));
    const answers: boolean[] = [];
    const worker = queue.work(
      async (job, { settle }) => {
        answers.push(await settle(async (tx) => void (await write(tx, queue.name, job.data.n))));
      },
      { concurrency: 40 },
    );
    worker.on("error", () => undefined);
    await eventually("all have run", () => answers.length === 80);
    expect(answers.filter((isOurs) => isOurs)).toHaveLength(60);
    expect(await effectsOf(queue.name)).toEqual(numbers);
    expect(await rowsOf(queue.name)).toEqual([]);
    await worker.stop();
  });

  test("effects may begin with adding a job", async () => {
    const queue = nextQueue();
    const worker = queue.work(
      async (job, { settle }) => {
        await settle(async (tx) => {
          if (job.data.n < 50) await queue.add({ n: job.data.n + 50 }, { tx });
          await write(tx, queue.name, job.data.n);
        });
      },
      { concurrency: 10 },
    );
    await queue.addMany(Array.from({ length: 50 }, (_, n) => ({ data: { n } })));
    await eventually("all are settled", async () => (await effectsOf(queue.name)).length === 100);
    expect(await effectsOf(queue.name)).toEqual(Array.from({ length: 100 }, (_, n) => n));
    expect(await rowsOf(queue.name)).toEqual([]);
    await worker.stop();
  });

  test("among batches that settle side by side, one that fails takes no other one down", async () => {
    const queue = nextQueue();
    const worker = queue.workBatch(
      async (jobs, { settle }) => {
        await settle(jobs, async (tx, owed) => {
          if (owed.some((job) => job.data.n === 77 && job.attempt === 1)) throw new Error("unlucky");
          for (const job of owed) await write(tx, queue.name, job.data.n);
        });
      },
      { size: 5, concurrency: 8 },
    );
    const retried: number[] = [];
    worker.on("retried", (job) => retried.push(job.data.n));
    const numbers = Array.from({ length: 400 }, (_, n) => n);
    await queue.addMany(numbers.map((n) => ({ data: { n } })));
    await eventually("all are settled", async () => (await rowsOf(queue.name)).length === 0);
    expect(await effectsOf(queue.name)).toEqual(numbers);
    expect(retried).toEqual([77]);
    await worker.stop();
  });

  test("effects that hang hold up no neighbour, and end with their attempt's time", async () => {
    const queue = nextQueue();
    const worker = queue.work(
      async (job, { settle }) => {
        await settle(async (tx) => {
          await write(tx, queue.name, job.data.n);
          if (job.data.n === 3 && job.attempt === 1) await new Promise(() => undefined);
        });
      },
      { concurrency: 20, timeout: 1_000 },
    );
    const retried = Promise.withResolvers<Error>();
    worker.on("retried", (_, error) => retried.resolve(error));
    await queue.addMany(Array.from({ length: 20 }, (_, n) => ({ data: { n } })));
    await eventually("its neighbours are settled", async () => (await effectsOf(queue.name)).length >= 19);
    expect(await retried.promise).toMatchObject({ code: "TIMEOUT" });
    await eventually("all are settled", async () => (await rowsOf(queue.name)).length === 0);
    expect(await effectsOf(queue.name)).toEqual(Array.from({ length: 20 }, (_, n) => n));
    await worker.stop();
  });

  test("an error of the effects that looks like an outage is the effects' own: the attempt has failed", async () => {
    const queue = nextQueue();
    const dead = Promise.withResolvers<Error>();
    const worker = queue.work((_, { settle }) =>
      settle(() => Promise.reject(Object.assign(new Error("connect ECONNREFUSED"), { code: "ECONNREFUSED" }))),
    );
    worker.on("dead", (_, error) => dead.resolve(error));
    await queue.add({ n: 1 });
    expect((await dead.promise).message).toBe("connect ECONNREFUSED");
    expect(stage.log.filter((line) => line.message.startsWith("PostgreSQL is away"))).toEqual([]);
    await worker.stop();
  });

  test("more settles than the pool has connections is no outage", async () => {
    const small = stage.keyline({ postgres: { connectionString: stage.databaseUrl, max: 2, connectionTimeoutMillis: 500 } });
    const queue = small.queue<N>(`t${queues++}`, { transactional: true });
    const worker = queue.work(
      async (job, { settle }) => {
        await settle(async (tx) => {
          await tx.query("SELECT pg_sleep(0.8)");
          await write(tx, queue.name, job.data.n);
        });
      },
      { concurrency: 8 },
    );
    await queue.addMany(Array.from({ length: 8 }, (_, n) => ({ data: { n } })));
    await eventually("all are settled", async () => (await effectsOf(queue.name)).length === 8);
    expect(stage.log.filter((line) => line.message.startsWith("PostgreSQL is away"))).toEqual([]);
    await worker.stop();
    expect(() => stage.keyline({ postgres: { max: 1 } })).toThrow(/at least 2/);
  });

  test("naming a job twice in a batch's settle is refused", async () => {
    const queue = nextQueue();
    const refusals: unknown[] = [];
    const worker = queue.workBatch(async (jobs, { settle }) => {
      const insert = (tx: pg.PoolClient, owed: readonly { data: N }[]): Promise<void> =>
        Promise.all(owed.map((job) => write(tx, queue.name, job.data.n))).then(() => undefined);
      await settle([...jobs, ...jobs], insert).catch((error: unknown) => refusals.push(error));
      await Promise.all([settle(jobs, insert), settle(jobs, insert).catch((error: unknown) => refusals.push(error))]);
    });
    await queue.add({ n: 1 });
    await eventually("it is settled", async () => (await rowsOf(queue.name)).length === 0);
    expect(refusals).toEqual([expect.objectContaining({ code: "ALREADY_SETTLED" }), expect.objectContaining({ code: "ALREADY_SETTLED" })]);
    expect(await effectsOf(queue.name)).toEqual([1]);
    await worker.stop();
  });

  test("slow effects run side by side, up to the worker's concurrency", async () => {
    const queue = nextQueue();
    const all = gate();
    let inside = 0;
    const worker = queue.work(
      async (_, { settle }) => {
        await settle(async () => {
          if (++inside === 6) all.open();
          await all.opened;
        });
      },
      { concurrency: 6 },
    );
    await queue.addMany(Array.from({ length: 6 }, (_, n) => ({ data: { n } })));
    await all.opened;
    await eventually("all are settled", async () => (await rowsOf(queue.name)).length === 0);
    await worker.stop();
  });

  test("a function that ends the transaction itself settles no neighbour without its effects", async () => {
    const queue = nextQueue();
    const worker = queue.work(
      async (job, { settle }) => {
        await settle(async (tx) => {
          if (job.data.n % 10 === 5) await tx.query("COMMIT");
          await write(tx, queue.name, job.data.n);
        });
      },
      { concurrency: 20 },
    );
    await queue.addMany(Array.from({ length: 100 }, (_, n) => ({ data: { n } })));
    await eventually("all are settled", async () => (await rowsOf(queue.name)).length === 0);
    // What is written after such a COMMIT is there a moment after the row is gone.
    await eventually("all is written", async () => new Set(await effectsOf(queue.name)).size === 100);
    const numbers = await effectsOf(queue.name);
    expect([...new Set(numbers)]).toEqual(Array.from({ length: 100 }, (_, n) => n));
    await worker.stop();
  });

  test("a batch in which one job's effects fail settles its neighbours, and retries that one", async () => {
    const queue = nextQueue();
    const settlements: { settled: number; failed: number }[] = [];
    const worker = queue.workBatch(
      async (jobs, { settle }) => {
        const { settled, failed } = await settle(jobs, async (tx, owed) => {
          for (const job of owed) {
            if (job.data.n === 13 && job.attempt === 1) throw new Error("unlucky");
            await write(tx, queue.name, job.data.n);
          }
        });
        settlements.push({ settled: settled.length, failed: failed.length });
      },
      { size: 50 },
    );
    const retried: string[] = [];
    worker.on("retried", (job, error) => retried.push(`${job.data.n} ${error.message}`));
    await queue.addMany(Array.from({ length: 50 }, (_, n) => ({ data: { n } })));
    await eventually("all are settled", async () => (await rowsOf(queue.name)).length === 0);
    expect(await effectsOf(queue.name)).toEqual(Array.from({ length: 50 }, (_, n) => n));
    expect(retried).toEqual(["13 unlucky"]);
    expect(settlements.reduce((sum, { settled }) => sum + settled, 0)).toBe(50);
    expect(settlements.reduce((sum, { failed }) => sum + failed, 0)).toBe(1);
    await worker.stop();
  });

  test("a job that its effects put off is one of the batch's failed, with the Snooze as its error", async () => {
    const queue = nextQueue();
    const settlements: { skipped: number; failed: [n: number, isSnooze: boolean][] }[] = [];
    const worker = queue.workBatch(
      async (jobs, { settle }) => {
        const { skipped, failed } = await settle(jobs, async (tx, owed) => {
          for (const job of owed) {
            if (job.data.n === 2 && settlements.length === 0) throw new Snooze(10);
            await write(tx, queue.name, job.data.n);
          }
        });
        settlements.push({ skipped: skipped.length, failed: failed.map(({ job, error }) => [job.data.n, error instanceof Snooze]) });
      },
      { size: 4 },
    );
    await queue.addMany(Array.from({ length: 4 }, (_, n) => ({ data: { n } })));
    await eventually("all are settled", async () => (await rowsOf(queue.name)).length === 0);
    expect(settlements.flatMap(({ failed }) => failed)).toEqual([[2, true]]);
    expect(settlements.every(({ skipped }) => skipped === 0)).toBe(true);
    expect(await effectsOf(queue.name)).toEqual([0, 1, 2, 3]);
    await worker.stop();
  });

  test("a batch is halved for what its effects may have caused, a deferred constraint too, and for nothing else", async () => {
    const bare = await openStage();
    const other = bare.keyline();
    await other.migrate();
    await bare.pool.query("CREATE TABLE picky (n integer UNIQUE DEFERRABLE INITIALLY DEFERRED)");
    await bare.pool.query("INSERT INTO picky VALUES (3)");
    const queue = other.queue<N>("q", { transactional: true });
    const settlements: { settled: number; failed: number[] }[] = [];
    const worker = queue.workBatch(
      async (jobs, { settle }) => {
        const { settled, failed } = await settle(jobs, async (tx, owed) => {
          await tx.query("INSERT INTO picky SELECT unnest($1::integer[])", [owed.map((job) => job.data.n)]);
        });
        settlements.push({ settled: settled.length, failed: failed.map(({ job }) => job.data.n) });
      },
      { size: 8 },
    );
    await queue.addMany(Array.from({ length: 8 }, (_, n) => ({ data: { n } })));
    await eventually("the batch ran", () => settlements.reduce((sum, { settled }) => sum + settled, 0) === 7);
    expect(settlements.flatMap(({ failed }) => failed)).toEqual([3]);

    await bare.pool.query("CREATE SEQUENCE tries");
    await bare.pool.query(
      `CREATE OR REPLACE FUNCTION keyline.settle_jobs(of_queue text, held_ids text, held_attempts text,
          OUT settled integer, OUT missing text, OUT xid text)
        LANGUAGE plpgsql AS $$ BEGIN PERFORM nextval('tries'); RAISE EXCEPTION 'out of order'; END $$`,
    );
    settlements.length = 0;
    await queue.addMany(Array.from({ length: 8 }, (_, n) => ({ data: { n: n + 10 } })));
    await eventually("all have failed", () => settlements.reduce((sum, { failed }) => sum + failed.length, 0) === 8);
    const { rows } = await bare.pool.query<{ tries: string }>("SELECT last_value AS tries FROM tries");
    expect(Number(rows[0]?.tries)).toBe(settlements.length);
    await worker.stop();
    await bare.close();
  });

  test("an attempt that was overtaken while it ran says that it is lost, whether it returns or throws", async () => {
    for (const end of ["returns", "throws"]) {
      const queue = nextQueue();
      const events: string[] = [];
      const worker = queue.work(async () => {
        // As the rescuer does when it gives the job to somebody else.
        await stage.pool.query("UPDATE keyline.job SET attempts = 1 WHERE queue = $1", [queue.name]);
        if (end === "throws") throw new Error("too late");
      });
      worker.on("completed", () => events.push("completed"));
      worker.on("retried", () => events.push("retried"));
      worker.on("error", (error) => events.push(error instanceof KeylineError ? error.code : error.message));
      await queue.add({ n: 1 });
      await eventually("the attempt has ended", () => events.length > 0);
      await worker.stop();
      expect(events).toEqual(["LEASE_LOST"]);
      expect(await rowsOf(queue.name)).toMatchObject([{ state: "waiting", attempts: 1, last_error: null }]);
    }
  });

  test("a batch handler that throws has the unsettled ones retried and the settled ones done", async () => {
    const queue = nextQueue();
    const worker = queue.workBatch(
      async (jobs, { settle }) => {
        const even = jobs.filter((job) => job.data.n % 2 === 0 || job.attempt > 1);
        await settle(even, async (tx, owed) => {
          for (const job of owed) await write(tx, queue.name, job.data.n);
        });
        if (even.length < jobs.length) throw new Error("the odd ones");
      },
      { size: 10 },
    );
    await queue.addMany(Array.from({ length: 10 }, (_, n) => ({ data: { n } })));
    await eventually("all are settled", async () => (await rowsOf(queue.name)).length === 0);
    expect(await effectsOf(queue.name)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    await worker.stop();
  });
});

describe("failing", () => {
  test("is kept in the row: attempts, the last error, the dead letter; and redrive starts over", async () => {
    const queue = nextQueue();
    let isFixed = false;
    const dead = gate();
    const completed = gate();
    const worker = queue.work((job) => {
      if (!isFixed) throw new Error(`attempt ${job.attempt} failed\0`);
    });
    worker.on("dead", () => dead.open());
    worker.on("completed", () => completed.open());
    const { id } = await queue.add({ n: 1 });
    await dead.opened;
    expect(await rowsOf(queue.name)).toMatchObject([{ id, state: "dead", attempts: 3, last_error: "Error: attempt 3 failed" }]);
    expect(await queue.deadLetters()).toEqual([{ id, reason: "Error: attempt 3 failed", attempts: 3, data: { n: 1 } }]);
    expect(await queue.counts()).toMatchObject({ waiting: 0, running: 0, scheduled: 0, dead: 1 });
    isFixed = true;
    expect(await queue.redrive()).toBe(1);
    await completed.opened;
    expect(await rowsOf(queue.name)).toEqual([]);
    await worker.stop();
  });

  test("a dead row is not settled by a worker that comes late", async () => {
    const queue = nextQueue();
    const started = gate();
    const release = gate();
    const answer = Promise.withResolvers<boolean>();
    const worker = queue.work(async (job, { settle }) => {
      started.open();
      await release.opened;
      answer.resolve(await settle(async (tx) => void (await write(tx, queue.name, job.data.n))));
    });
    await queue.add({ n: 1 });
    await started.opened;
    await stage.pool.query("UPDATE keyline.job SET state = 'dead' WHERE queue = $1", [queue.name]);
    release.open();
    expect(await answer.promise).toBe(false);
    expect(await effectsOf(queue.name)).toEqual([]);
    await worker.stop();
    expect(await rowsOf(queue.name)).toMatchObject([{ state: "dead" }]);
  });

  test("a transactional queue in a database without the schema says what to do", async () => {
    const bare = await openStage();
    const queue = bare.keyline().queue<N>("q", { transactional: true });
    await expect(queue.add({ n: 1 })).rejects.toMatchObject({ code: "NOT_MIGRATED" });
    await bare.close();
  });
});

test("migrating from many processes at once, and again, does it once", async () => {
  const bare = await openStage();
  const keylines = Array.from({ length: 5 }, () => bare.keyline());
  await Promise.all(keylines.map((one) => one.migrate()));
  await keylines[0]?.migrate();
  const { rows } = await bare.pool.query<{ version: number }>("SELECT version FROM keyline.migration ORDER BY version");
  expect(rows).toEqual(rows.map((_, index) => ({ version: index + 1 })));
  await bare.pool.query("INSERT INTO keyline.migration (version, name) VALUES (99, 'from the future')");
  await expect(keylines[0]?.migrate()).rejects.toMatchObject({ code: "SCHEMA_TOO_NEW" });
  await bare.close();
});
