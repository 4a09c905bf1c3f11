import { Discard, Snooze, type Job } from "keyline";
import { createTestKeyline, type Ran, type TestKeyline } from "keyline/testing";
import pg from "pg";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { openEither } from "../support/either-queue.ts";
import { eventually, gate } from "../support/stage.ts";

let t: TestKeyline;
beforeEach(async () => {
  t = await createTestKeyline();
});
afterEach(() => t.close());

const told = (ran: readonly Ran[]): string[] =>
  ran.map(({ queue, stream, data, attempt, outcome }) => `${queue ?? stream} ${JSON.stringify(data)} ${attempt} ${outcome}`);

describe.each([{ transactional: false }, { transactional: true }])("with transactional: $transactional", ({ transactional }) => {
  test("runs what is due, and nothing before or after that", async () => {
    const emails = openEither<string>(t.keyline, "emails", { transactional });
    const sent: string[] = [];
    emails.work((job: Job<string>) => void sent.push(job.data));
    await emails.addMany([{ data: "a" }, { data: "b" }, { data: "later", delay: 3_600_000 }]);
    await eventually("they are there", async () => (await emails.counts()).scheduled === 1);
    expect(await emails.counts()).toMatchObject({ waiting: 2, running: 0 });
    const ran = await t.drain();
    expect(told(ran)).toEqual(['emails "a" 1 completed', 'emails "b" 1 completed']);
    expect(sent).toEqual(["a", "b"]);
    await emails.add("c");
    await eventually("it is there", async () => (await emails.counts()).waiting === 1);
    expect(await emails.counts()).toMatchObject({ running: 0, scheduled: 1 });
    expect(told(await t.drain())).toEqual(['emails "c" 1 completed']);
    expect(await t.drain()).toEqual([]);
  });

  test("tells of each attempt what became of it", async () => {
    const queue = openEither<string>(t.keyline, "tasks", {
      transactional,
      maxAttempts: 2,
      backoff: { type: "fixed", delay: 0, jitter: 0 },
    });
    queue.work((job: Job<string>) => {
      if (job.data === "discards") throw new Discard("not wanted");
      if (job.data === "snoozes") throw new Snooze(60_000);
      if (job.data === "fails" || job.attempt < 2) throw new Error("busy");
    });
    await queue.addMany(["fails", "discards", "snoozes", "fails once"].map((data) => ({ data, id: data.replace(" ", "-") })));
    const ran = await t.drain();
    expect(
      ran.filter(({ id }) => id === "fails").map(({ attempt, outcome, error, delay }) => ({ attempt, outcome, error, delay })),
    ).toEqual([
      { attempt: 1, outcome: "retried", error: new Error("busy"), delay: 0 },
      { attempt: 2, outcome: "dead", error: new Error("busy"), delay: undefined },
    ]);
    expect(ran.find(({ id }) => id === "discards")).toMatchObject({ outcome: "dead", error: new Discard("not wanted") });
    expect(ran.find(({ id }) => id === "snoozes")).toMatchObject({ outcome: "snoozed", delay: 60_000, error: undefined });
    expect(ran.filter(({ id }) => id === "fails-once").map(({ outcome }) => outcome)).toEqual(["retried", "completed"]);
    expect(ran).toHaveLength(6);
  });

  test("runs what handlers add, to whatever queue and whether they wait for it or not, to the end", async () => {
    const numbers = openEither<number>(t.keyline, "numbers", { transactional });
    const others = openEither<number>(t.keyline, "others", { transactional: !transactional });
    numbers.work(
      async (job: Job<number>) => {
        const below = [{ data: job.data - 1 }, { data: job.data - 1 }];
        if (job.data > 0 && job.data % 2 === 0) await numbers.addMany(below);
        else if (job.data > 0) void others.addMany(below);
      },
      { concurrency: 5 },
    );
    for (const concurrency of [1, 3]) {
      others.work((job: Job<number>) => void (job.data > 0 && numbers.addMany([{ data: job.data - 1 }, { data: job.data - 1 }])), {
        concurrency,
      });
    }
    for (let depth = 1; depth <= 7; depth++) {
      await numbers.add(depth);
      expect(await t.drain()).toHaveLength(2 ** (depth + 1) - 1);
      expect(await numbers.counts()).toMatchObject({ waiting: 0, running: 0 });
      expect(await others.counts()).toMatchObject({ waiting: 0, running: 0 });
    }
  });

  test("by the order of the queue: priorities, and groups one after the other", async () => {
    const queue = openEither<string>(t.keyline, "ordered", { transactional });
    await queue.addMany([{ data: "normal" }, { data: "low", priority: "low" }, { data: "high", priority: "high" }]);
    queue.work(() => undefined);
    expect((await t.drain()).map(({ data }) => data)).toEqual(["high", "normal", "low"]);
    let running = 0;
    const most: number[] = [];
    const grouped = openEither<number>(t.keyline, "grouped", { transactional });
    grouped.work(
      async () => {
        most.push(++running);
        await new Promise((resolve) => setImmediate(resolve));
        running--;
      },
      { concurrency: 10 },
    );
    await grouped.addMany([1, 2, 3, 4, 5].map((data) => ({ data, group: "one" })));
    const ran = await t.drain();
    expect(ran.map(({ data, group }) => [data, group])).toEqual([1, 2, 3, 4, 5].map((data) => [data, "one"]));
    expect(Math.max(...most)).toBe(1);
  });

  test("leaves what a pause or a rate holds back, and what comes of a limit of concurrency is all run", async () => {
    const queue = openEither<number>(t.keyline, "limited", { transactional, limits: { concurrency: 2 } });
    for (let workers = 0; workers < 3; workers++) queue.work(() => undefined, { concurrency: 2 });
    await queue.addMany([1, 2, 3, 4, 5, 6, 7].map((data) => ({ data, ...(data === 7 ? { group: "held" } : {}) })));
    await queue.pause({ group: "held" });
    expect((await t.drain()).map(({ data }) => String(data)).sort()).toEqual(["1", "2", "3", "4", "5", "6"]);
    await queue.resume({ group: "held" });
    await queue.pause();
    expect(await t.drain()).toEqual([]);
    await queue.resume();
    expect(await t.drain()).toHaveLength(1);
    await queue.setLimits({ rate: { max: 2, per: 3_600_000 } });
    await queue.addMany([1, 2, 3, 4, 5].map((data) => ({ data })));
    expect(await t.drain()).toHaveLength(2);
    expect(await queue.counts()).toMatchObject({ waiting: 3, running: 0 });
  });

  test("a key is held by a job that waits, whatever the machine does", async () => {
    const queue = openEither<string>(t.keyline, "once", { transactional });
    queue.work(() => undefined);
    expect(await queue.add("a", { deduplicate: { key: "k" } })).toMatchObject({ added: true });
    expect(await queue.add("b", { deduplicate: { key: "k" } })).toMatchObject({ added: false });
    expect(await t.drain()).toMatchObject([{ data: "a" }]);
    expect(await queue.add("c", { deduplicate: { key: "k" } })).toMatchObject({ added: true });
  });

  test("a job that is cancelled before its turn does not run, and one that runs is told to be cancelled", async () => {
    const queue = openEither<string>(t.keyline, "cancelled", { transactional });
    queue.work(
      async (job: Job<string>) => {
        if (job.data !== "stops") return;
        const aborted = new Promise((resolve) => job.signal.addEventListener("abort", resolve));
        await queue.cancel(job.id);
        await aborted;
      },
      { concurrency: 2 },
    );
    await queue.addMany([{ data: "waits", id: "w" }, { data: "stops" }, { data: "goes on" }]);
    await queue.cancel("w");
    const ran = await t.drain();
    expect(told(ran)).toEqual(['cancelled "stops" 1 cancelled', 'cancelled "goes on" 1 completed']);
    expect(ran[0]?.error).toMatchObject({ code: "JOB_CANCELLED" });
  });

  test("what code waits for beside a drain is answered", async () => {
    const queue = openEither<number>(t.keyline, "answered", { transactional, keepResult: 60_000 });
    queue.work((job: Job<number>) => job.data + 1);
    const { id } = await queue.add(1);
    const [answer, ran] = await Promise.all([queue.waitFor(id, { timeout: 50_000 }), t.drain()]);
    expect(answer).toBe(2);
    expect(ran).toHaveLength(1);
  });

  test("batches: each of their jobs is told", async () => {
    const queue = openEither<number>(t.keyline, "batches", { transactional });
    queue.workBatch(() => undefined, { size: 2 });
    await queue.addMany([1, 2, 3].map((data) => ({ data })));
    expect(told(await t.drain())).toEqual(["batches 1 1 completed", "batches 2 1 completed", "batches 3 1 completed"]);
  });

  test("a job that adds itself for ever is given up on, and so is one that hangs, by their names", async () => {
    const queue = openEither<string>(t.keyline, "endless", { transactional });
    queue.work(async (job: Job<string>) => void (await queue.add(job.data)));
    await queue.add("again");
    await expect(t.drain({ limit: 20 })).rejects.toMatchObject({
      code: "NOT_DRAINED",
      message: expect.stringMatching(/more than 20 attempts/) as string,
    });
    const held = gate();
    const hanging = openEither<string>(t.keyline, "hanging", { transactional });
    hanging.work(() => held.opened);
    await hanging.add("a", { id: "h1" });
    await queue.pause();
    await expect(t.drain({ timeout: 2_000 })).rejects.toMatchObject({
      code: "NOT_DRAINED",
      message: expect.stringMatching(/longer than 2000 ms.*job h1 of queue hanging ran/) as string,
    });
    held.open();
    expect((await t.drain()).filter(({ queue: name }) => name === "hanging")).toMatchObject([{ id: "h1", outcome: "completed" }]);
  });
});

test("effects and jobs of a transaction are there together, and what handlers settle is told", async () => {
  const pool = new pg.Pool({ connectionString: t.databaseUrl });
  await pool.query("CREATE TABLE orders (id integer PRIMARY KEY, status text)");
  const orders = t.keyline.queue<number>("orders", { transactional: true });
  const emails = t.keyline.queue<string>("emails", { transactional: true });
  orders.work(async (job, { settle }) => {
    await settle(async (tx) => {
      await tx.query("UPDATE orders SET status = 'done' WHERE id = $1", [job.data]);
      await emails.add(`order ${job.data}`, { tx });
    });
  });
  emails.work(() => undefined);
  await t.keyline.transaction(async (tx) => {
    await tx.query("INSERT INTO orders VALUES (1, 'new')");
    await orders.add(1, { tx });
  });
  await expect(
    t.keyline.transaction(async (tx) => {
      await orders.add(2, { tx });
      throw new Error("rolled back");
    }),
  ).rejects.toThrow("rolled back");
  expect(told(await t.drain())).toEqual(["orders 1 1 completed", 'emails "order 1" 1 completed']);
  expect((await pool.query("SELECT * FROM orders")).rows).toEqual([{ id: 1, status: "done" }]);
  await pool.end();
});

test("rows that only the relay finds are run too", async () => {
  const orders = t.keyline.queue<number>("orders", { transactional: true });
  orders.work(() => undefined);
  const pool = new pg.Pool({ connectionString: t.databaseUrl });
  await pool.query("INSERT INTO keyline.job (queue, id, data) SELECT 'orders', 'sql-' || n, n::text::json FROM generate_series(1, 3) AS n");
  await pool.end();
  expect((await t.drain()).map(({ id }) => id).sort()).toEqual(["sql-1", "sql-2", "sql-3"]);
});

test("two drains at the same time are one", async () => {
  const queue = t.keyline.queue<number>("twice");
  queue.work(() => undefined);
  await queue.add(1);
  const [one, other] = await Promise.all([t.drain(), t.drain()]);
  expect(one).toHaveLength(1);
  expect(other).toBe(one);
});

test("a worker that comes or goes, and queues without one", async () => {
  const queue = t.keyline.queue<number>("seldom");
  await queue.add(1);
  expect(await t.drain()).toEqual([]);
  const worker = queue.work(() => undefined);
  expect(await t.drain()).toHaveLength(1);
  await worker.stop();
  await queue.add(2);
  expect(await t.drain()).toEqual([]);
  queue.work(async () => undefined);
  expect(await t.drain()).toHaveLength(1);
});

test("live: workers run at once, and a drain waits until they have, and tells of what ran before too", async () => {
  await using live = await createTestKeyline({ live: true });
  const queue = live.keyline.queue<number>("live");
  const seen: number[] = [];
  queue.work(async (job) => {
    seen.push(job.data);
    if (job.data > 1) await queue.add(job.data - 1);
  });
  await queue.add(1);
  await eventually("it ran by itself", () => seen.length === 1);
  await queue.add(5);
  expect((await live.drain()).map(({ data }) => data)).toEqual([1, 5, 4, 3, 2, 1]);
});

describe.each([{ transactional: false }, { transactional: true }])("streams with transactional: $transactional", ({ transactional }) => {
  test("consumer groups run while a drain does", async () => {
    interface Event {
      readonly user: string;
      readonly n: number;
    }
    const key = (event: Event): string => event.user;
    const events = transactional
      ? t.keyline.stream<Event>("events", { key, transactional: true })
      : t.keyline.stream<Event>("events", { key });
    const emails = t.keyline.queue<number>("emails");
    emails.work(() => undefined);
    events.consume("mailer", async (entry) => void (await emails.add(entry.data.n)), { from: "-", concurrency: 4 });
    events.consume(
      "counter",
      (entry) => {
        if (entry.attempt === 1) throw new Error("busy");
      },
      { from: "-", backoff: { type: "fixed", delay: 60_000, jitter: 0 } },
    );
    await events.appendMany([1, 2, 3].map((n) => ({ user: "ada", n })));
    const ran = await t.drain();
    expect(ran.filter(({ group }) => group === "mailer").map(({ stream, data, outcome }) => [stream, (data as Event).n, outcome])).toEqual(
      [1, 2, 3].map((n) => ["events", n, "completed"]),
    );
    expect(ran.filter(({ queue }) => queue === "emails")).toHaveLength(3);
    // The first of a key is tried again before the others come.
    expect(ran.filter(({ group }) => group === "counter")).toMatchObject([{ outcome: "retried", delay: 60_000 }]);
    expect(await t.drain()).toEqual([]);
    const attempts: string[] = [];
    for (let n = 0; n < 3; n++) {
      await t.advance(60_000);
      for (const { data, attempt, outcome } of await t.drain()) attempts.push(`${(data as Event).n} ${attempt} ${outcome}`);
    }
    expect(attempts).toEqual(["1 2 completed", "2 1 retried", "2 2 completed", "3 1 retried", "3 2 completed"]);
  });
});

test("bad options are refused", async () => {
  await expect(t.drain({ limit: 0 })).rejects.toMatchObject({ code: "INVALID_OPTION" });
  await expect(t.drain({ timeout: 0 })).rejects.toMatchObject({ code: "INVALID_OPTION" });
  await expect(t.drain({ until: "empty" } as object)).rejects.toMatchObject({ code: "INVALID_OPTION" });
  for (const ms of [-1, 0.5, Infinity, "1" as unknown as number])
    await expect(t.advance(ms)).rejects.toMatchObject({ code: "INVALID_OPTION" });
});

test.each([{ transactional: false }, { transactional: true }])(
  "a drain runs children and then their parent, and what a handler adds below its own job (transactional: $transactional)",
  async ({ transactional }) => {
    const rules = { transactional } as { transactional: true };
    const pages = t.keyline.queue<number>("pages", rules);
    const reports = t.keyline.queue<string>("reports", rules);
    pages.work((job) => job.data);
    reports.work(async (job, { step }) => {
      if (job.data !== "adds") return;
      const below = [{ queue: pages, data: 3 }];
      if (transactional) await step("split", (tx) => job.addChildren(below, { tx }));
      else await job.addChildren(below, { name: "split" });
      await job.childrenEnded();
    });
    const child = (data: number) => ({ queue: pages, data });
    await reports.add("given", { children: [child(1), child(2)] });
    await reports.add("adds");
    const ran = told(await t.drain());
    expect(ran.filter((one) => one.startsWith("pages")).toSorted()).toEqual([
      "pages 1 1 completed",
      "pages 2 1 completed",
      "pages 3 1 completed",
    ]);
    const ended = ran.filter((one) => one.startsWith("reports") && one.endsWith("completed"));
    expect(ended.toSorted()).toEqual(['reports "adds" 1 completed', 'reports "given" 1 completed']);
    expect(ran.indexOf('reports "given" 1 completed')).toBeGreaterThan(ran.indexOf("pages 2 1 completed"));
  },
);

test("a day that passes does not let a parent go whose children wait", async () => {
  const pages = t.keyline.queue<number>("pages");
  const reports = t.keyline.queue<string>("reports");
  reports.work(() => undefined);
  await reports.add("given", { children: [{ queue: pages, data: 1 }] });
  await t.advance(86_400_000 * 400);
  expect(await t.drain()).toEqual([]);
  pages.work(() => undefined);
  expect(told(await t.drain())).toEqual(["pages 1 1 completed", 'reports "given" 1 completed']);
});
