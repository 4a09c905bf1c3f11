import { startValkeyCluster } from "@keyline/embedded";
import type { Keyline, Schedule } from "keyline";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { kinds, listed, openQueue, rewind, serverTime, type Numbered } from "../../support/schedule-stage.ts";
import { eventually, openQuietStage, type Stage } from "../../support/stage.ts";
import { containing, startWireProxy, targetOf, through, type WireProxy } from "../../support/wire-proxy.ts";

let stage: Stage;
let direct: Keyline;
let toValkey: WireProxy;
let toPostgres: WireProxy;
/** Through both proxies. */
let keyline: Keyline;

const hour = 3_600_000;
const data = { n: 1 };

beforeAll(async () => {
  stage = await openQuietStage();
  direct = stage.keyline();
  await direct.migrate();
});
afterAll(() => stage.close());

beforeEach(async () => {
  toValkey = await startWireProxy({ target: targetOf(stage.valkeyUrl) });
  toPostgres = await startWireProxy({ target: targetOf(stage.databaseUrl) });
  keyline = stage.keyline({ valkey: through(stage.valkeyUrl, toValkey), postgres: through(stage.databaseUrl, toPostgres) });
});
afterEach(async () => {
  toValkey.passAll();
  toPostgres.passAll();
  await toValkey.refuse(false);
  await toPostgres.refuse(false);
  await keyline.close();
  await toValkey.stop();
  await toPostgres.stop();
});

/** The ids of jobs that were added to a queue without a worker. */
async function jobsOf(queue: string, transactional: boolean): Promise<string[]> {
  if (transactional) {
    const { rows } = await stage.pool.query<{ id: string }>("SELECT id FROM keyline.job WHERE queue = $1 ORDER BY seq", [queue]);
    return rows.map(({ id }) => id);
  }
  const elements = await stage.valkey.lrange(`${stage.prefix}:{${queue}}:waiting`, 0, -1);
  return elements.toReversed().map((element) => (JSON.parse(element) as { id: string }).id);
}

describe.each(kinds)("on $kind", ({ transactional }) => {
  const store = (): WireProxy => (transactional ? toPostgres : toValkey);
  const declaration = transactional ? "keyline-insert-schedule" : '"revision"';
  const making = transactional ? "keyline-tick" : '"lastAt":17';

  test("a declaration whose answer is lost can be made again", async () => {
    const queue = openQueue(keyline, transactional);
    // Another one first: what it has to send for the first time is sent.
    await queue.schedule("first", { every: hour, data });
    store().swallowReply(containing(declaration));
    const code = transactional ? "POSTGRES_UNAVAILABLE" : "OUTCOME_UNKNOWN";
    await expect(queue.schedule("lost", { every: hour, data })).rejects.toMatchObject({ code });
    expect(store().swallowed).toBe(1);
    const [, there] = await listed(direct.queue<Numbered>(queue.name, { lease: 1_000, transactional } as object).schedules());
    let again: Schedule<Numbered> | undefined;
    await eventually("it can be declared", async () => {
      again = await queue.schedule("lost", { every: hour, data }).catch(() => undefined);
      return again !== undefined;
    });
    expect(again).toEqual(there);
  });

  test("a tick whose answer is lost is one job, and the next one comes", async () => {
    const queue = openQueue(keyline, transactional);
    const ran: number[] = [];
    const worker = queue.work((job) => void ran.push(job.schedule?.at ?? 0));
    // Lost are the answers to three ticks: of each the job is there.
    store().swallowReply(containing(making), { times: 3 });
    const { nextAt: first = 0 } = await queue.schedule("ticks", { every: 400, limit: 7, data, missed: "all" });
    await eventually("it is over", () => new Set(ran).size >= 7, 60_000);
    await worker.stop();
    expect(store().swallowed).toBe(3);
    expect([...new Set(ran)].toSorted((one, other) => one - other)).toEqual([0, 1, 2, 3, 4, 5, 6].map((tick) => first + tick * 400));
    const [over] = await listed(direct.queue<Numbered>(queue.name, { lease: 1_000, transactional } as object).schedules());
    expect(over).toMatchObject({ ticks: 7, nextAt: undefined });
  }, 120_000);

  test("a worker hears at once what another process declares, however seldom it renews its lease", async () => {
    const { name } = openQueue(direct, transactional, { lease: 3_600_000 });
    const elsewhere = stage.keyline().queue<Numbered>(name, { lease: 3_600_000, transactional } as object);
    const ran: unknown[] = [];
    const worker = direct.queue<Numbered>(name).work((job) => void ran.push(job.schedule?.name));
    const idle = new Promise<void>((resolve) => worker.on("idle", () => resolve()));
    await idle;
    await elsewhere.schedule("far", { every: hour, data });
    await elsewhere.schedule("near", { every: 100, limit: 1, data });
    await eventually("it ran", () => ran.length > 0);
    expect(ran).toEqual(["near"]);
    await worker.stop();
  });

  test("nobody asks for a tick that is far away", async () => {
    const queue = openQueue(direct, transactional, { lease: 3_600_000 });
    await queue.schedule("far", { cron: "0 0 1 1 *", data });
    const worker = queue.work(() => undefined);
    await new Promise<void>((resolve) => worker.on("idle", () => resolve()));
    // Another queue shows that time passes.
    const other = openQueue(direct, transactional, { lease: 3_600_000 });
    let passed = 0;
    const clock = other.work(() => void passed++);
    await other.schedule("clock", { every: 200, limit: 2, data });
    await eventually("the first look is over", () => passed >= 2);
    const asked = async (): Promise<number> => {
      if (!transactional) return Number(/cmdstat_zrange:calls=(\d+)/.exec(await stage.valkey.info("commandstats"))?.[1] ?? 0);
      await stage.pool.query("SELECT pg_stat_force_next_flush()");
      const { rows } = await stage.pool.query<{ scans: string }>(
        "SELECT coalesce(seq_scan, 0) + coalesce(idx_scan, 0) AS scans FROM pg_stat_user_tables WHERE relname = 'schedule'",
      );
      return Number(rows[0]?.scans);
    };
    await clock.stop();
    await eventually("what was asked before is counted", async () => {
      const before = await asked();
      await new Promise((resolve) => setTimeout(resolve, 1_200));
      return (await asked()) === before;
    });
    await worker.stop();
  });

  test("while the store is away no tick is lost, and each comes once when it is back", async () => {
    const queue = openQueue(keyline, transactional);
    const ran: number[] = [];
    const worker = queue.work((job) => void ran.push(job.schedule?.at ?? 0));
    worker.on("error", () => undefined);
    const { nextAt: first = 0 } = await queue.schedule("away", { every: 200, limit: 21, data, missed: "all" });
    await eventually("it ticks", () => ran.length > 1);
    await store().refuse(true);
    store().cutAll();
    await eventually("half of the ticks are due", async () => (await serverTime(stage, transactional)) > first + 2_000);
    await store().refuse(false);
    await eventually("all of them ran", () => new Set(ran).size >= 21, 60_000);
    expect([...new Set(ran)].toSorted((one, other) => one - other)).toEqual(Array.from({ length: 21 }, (_, tick) => first + tick * 200));
    await worker.stop();
  }, 120_000);

  test("what is left of a schedule in a time zone that nobody knows does not hold up the others", async () => {
    const queue = openQueue(direct, transactional);
    await queue.schedule("strange", { cron: "* * * * *", data });
    if (transactional) {
      const spec = JSON.stringify({ cron: "* * * * *", timezone: "Moon/Crater", missed: "once" });
      await stage.pool.query("UPDATE keyline.schedule SET spec = $2 WHERE queue = $1", [queue.name, spec]);
      // And one that no Keyline wrote.
      await stage.pool.query(
        `INSERT INTO keyline.schedule (queue, name, revision, spec, data, declared_at, next_at) VALUES ($1, 'junk', 'r', '5', '1', now(), 'epoch')`,
        [queue.name],
      );
    } else {
      const key = `${stage.prefix}:{${queue.name}}:schedules`;
      const text = (await stage.valkey.hget(key, "strange")) ?? "";
      await stage.valkey.hset(key, "strange", text.replace("UTC", "Moon/Crater"));
      // And one that no Keyline wrote.
      await stage.valkey.hset(key, "junk", "{");
      await stage.valkey.zadd(`${stage.prefix}:{${queue.name}}:ticks`, 5, "junk");
    }
    await rewind(stage, { queue: queue.name, transactional, name: "strange", nextAt: 60_000 });
    const ran: unknown[] = [];
    const worker = queue.work((job) => void ran.push(job.schedule?.name));
    await queue.schedule("good", { every: 200, limit: 3, data });
    await eventually("the good one is over", () => ran.length >= 3);
    expect(ran).toEqual(["good", "good", "good"]);
    expect(stage.log.some(({ level, message }) => level === "warn" && message.includes("schedule"))).toBe(true);
    await worker.stop();
  });
});

describe("a plain queue", () => {
  test("makes no tick while memory has run out, and makes it when there is some", async () => {
    const queue = openQueue(direct, false);
    const ran: number[] = [];
    const { nextAt = 0 } = await queue.schedule("full", { every: hour, data });
    await rewind(stage, { queue: queue.name, transactional: false, name: "full", nextAt: nextAt - hour });
    await stage.valkey.config("SET", "maxmemory", "1");
    const before = stage.log.length;
    const worker = queue.work((job) => void ran.push(job.schedule?.at ?? 0));
    await expect(queue.schedule("more", { every: hour, data })).rejects.toThrow("OOM");
    const tries = (): number => stage.log.slice(before).filter(({ message }) => message.includes("ticks could not be made")).length;
    await eventually("it was tried again", () => tries() > 1);
    expect(await jobsOf(queue.name, false)).toEqual([]);
    expect((await listed(queue.schedules())).map(({ name, ticks }) => [name, ticks])).toEqual([["full", 0]]);
    await stage.valkey.config("SET", "maxmemory", "0");
    await eventually("it is made", () => ran.length > 0);
    expect(ran).toEqual([nextAt - hour]);
    await worker.stop();
  });

  test("on a cluster has all its keys in one slot", async () => {
    const cluster = await startValkeyCluster();
    const clustered = stage.keyline({ valkey: { cluster: cluster.nodes.map(({ host, port }) => ({ host, port })) }, prefix: "cluster" });
    for (const queue of [clustered.queue<Numbered>("plain"), clustered.queue<Numbered>("recorded", { transactional: true } as object)]) {
      const ran: unknown[] = [];
      const worker = queue.work((job) => void ran.push(job.schedule?.name));
      await queue.schedule("pulse", { every: 100, limit: 3, data });
      await eventually("it is over", () => ran.length >= 3);
      expect((await listed(queue.schedules())).map(({ name, ticks }) => [name, ticks])).toEqual([["pulse", 3]]);
      expect(await queue.unschedule("pulse")).toBe(true);
      await worker.stop();
    }
    await clustered.close();
    await cluster.stop();
  }, 120_000);
});

describe("a transactional queue", () => {
  test("goes on after the loss of Valkey, also with what was declared just before it", async () => {
    const name = openQueue(direct, true).name;
    const queue = direct.queue<Numbered>(name);
    const ran: unknown[] = [];
    const worker = queue.work((job) => void ran.push(job.schedule?.name));
    worker.on("error", () => undefined);
    await new Promise<void>((resolve) => worker.on("idle", () => resolve()));
    // Nobody hears of it: the memory is lost before the signal is read, as far as workers can tell.
    await stage.pool.query(
      `INSERT INTO keyline.schedule (queue, name, revision, spec, data, declared_at, next_at)
        VALUES ($1, 'unheard', 'r', '{"every":3600000,"missed":"once"}', '{"n":1}', now(), now())`,
      [name],
    );
    await stage.valkey.flushall();
    await eventually("it ran", () => ran.length > 0);
    expect(ran).toEqual(["unheard"]);
    await worker.stop();
  });

  test("tells workers later, when Valkey was out of reach of whoever declared", async () => {
    const { name } = openQueue(direct, true, { lease: 3_600_000 });
    const ran: unknown[] = [];
    const worker = direct.queue<Numbered>(name).work((job) => void ran.push(job.schedule?.name));
    await new Promise<void>((resolve) => worker.on("idle", () => resolve()));
    const elsewhere = keyline.queue<Numbered>(name, { lease: 3_600_000, transactional: true } as object);
    await listed(elsewhere.schedules());
    await toValkey.refuse(true);
    toValkey.cutAll();
    const { nextAt } = await elsewhere.schedule("apart", { every: 500, limit: 1, data });
    expect(nextAt).toBeDefined();
    await toValkey.refuse(false);
    await eventually("it ran", () => ran.length > 0);
    await worker.stop();
  });

  test("makes each tick once where transactions are serializable", async () => {
    await stage.pool.query(
      "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET default_transaction_isolation = ''serializable''', current_database()); END $$",
    );
    const strict = [1, 2, 3].map(() => stage.keyline());
    const { name } = openQueue(direct, true);
    const ran: number[] = [];
    const workers = strict.map((one) =>
      one.queue<Numbered>(name, { lease: 1_000, transactional: true } as object).work((job) => void ran.push(job.schedule?.at ?? 0)),
    );
    const queue = direct.queue<Numbered>(name);
    const { nextAt: first = 0 } = await queue.schedule("strict", { every: 100, limit: 21, data, missed: "all" });
    await eventually("it is over", () => ran.length >= 21);
    expect(ran.toSorted((one, other) => one - other)).toEqual(Array.from({ length: 21 }, (_, tick) => first + tick * 100));
    await Promise.all(workers.map((worker) => worker.stop()));
    await stage.pool.query(
      "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I RESET default_transaction_isolation', current_database()); END $$",
    );
  });
});

test("a plain queue's schedules are there again after the loss of Valkey when somebody declares them", async () => {
  const queue = openQueue(direct, false);
  await queue.schedule("again", { every: hour, data });
  await stage.valkey.flushall();
  expect(await listed(queue.schedules())).toEqual([]);
  await queue.schedule("again", { every: hour, data });
  expect(await listed(queue.schedules())).toHaveLength(1);
});
