import type { PoolClient } from "pg";
import { afterAll, beforeAll, expect, test } from "vitest";
import { Discard } from "keyline";
import { openEffectsStage, type EffectsStage } from "../../support/effects-stage.ts";
import { eventually, gate } from "../../support/stage.ts";

let stage: EffectsStage;
let queues = 0;
beforeAll(async () => {
  stage = await openEffectsStage();
});
afterAll(() => stage.close());

/** Lets a job go on while another session has what its end needs, and has its worker lose its lease before that one has ended. */
async function whileLeaseIsLost(queue: string, goOn: () => void, hold: (other: PoolClient) => Promise<unknown>): Promise<void> {
  const other = await stage.pool.connect();
  await other.query("BEGIN");
  await hold(other);
  goOn();
  await eventually("its end waits", async () => {
    const waiting = "SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";
    return ((await stage.pool.query(waiting)).rowCount ?? 0) > 0;
  });
  const workers = `${stage.prefix}:{${queue}}:workers`;
  const [lease = ""] = await stage.valkey.zrange(workers, 0, -1);
  await stage.valkey.zrem(workers, lease);
  await eventually("it has another lease", async () => {
    const leases = await stage.valkey.zrange(workers, 0, -1);
    return leases.length === 1 && leases[0] !== lease;
  });
  await other.query("COMMIT");
  other.release();
}

test("an attempt whose settle was at its COMMIT when the lease went is reported as completed", async () => {
  await stage.pool.query(`
    CREATE FUNCTION wait_at_commit() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_advisory_xact_lock(42); RETURN NULL; END $$;
    CREATE TABLE slow (n integer);
    CREATE CONSTRAINT TRIGGER slow AFTER INSERT ON slow DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION wait_at_commit()`);
  const queue = stage.keyline().queue<number>(`ending${queues++}`, { transactional: true });
  const told: unknown[] = [];
  const [begun, goOn] = [gate(), gate()];
  const worker = queue.work(async (_, { settle }) => {
    begun.open();
    await goOn.opened;
    await settle((tx) => tx.query("INSERT INTO slow VALUES (1)"));
  });
  worker.on("completed", ({ attempt }) => told.push(`completed by ${attempt}`));
  await queue.add(1);
  await begun.opened;
  await whileLeaseIsLost(queue.name, goOn.open, (other) => other.query("SELECT pg_advisory_xact_lock(42)"));
  await eventually("it is told", () => told.length > 0);
  await worker.stop();
  expect((await stage.pool.query("SELECT FROM slow")).rowCount).toBe(1);
  expect(told).toEqual(["completed by 1"]);
});

test.each([
  ["returned", () => undefined],
  [
    "was discarded",
    () => {
      throw new Discard("not this one");
    },
  ],
])(
  "an attempt that %s, and was overtaken while its end was on its way to the row and its lease went, is reported as overtaken",
  async (_, end) => {
    const queue = stage.keyline().queue<number>(`ending${queues++}`, { transactional: true });
    const told: unknown[] = [];
    const [begun, goOn] = [gate(), gate()];
    const worker = queue.work(async ({ attempt }) => {
      begun.open();
      await goOn.opened;
      return attempt === 1 ? end() : undefined;
    });
    worker.on("completed", ({ attempt }) => told.push(`completed by ${attempt}`));
    worker.on("dead", (job) => told.push(`dead by ${job?.attempt}`));
    worker.on("error", (error) => told.push((error as { code?: unknown }).code));
    const { id } = await queue.add(1);
    await begun.opened;

    await whileLeaseIsLost(queue.name, goOn.open, (other) =>
      other.query("UPDATE keyline.job SET attempts = 1 WHERE queue = $1 AND id = $2", [queue.name, id]),
    );

    await eventually("both are told", () => told.length > 1);
    await worker.stop();
    expect(new Set(told)).toEqual(new Set(["LEASE_LOST", "completed by 2"]));
    expect(told.length).toBe(2);
  },
);

/** How many sessions are about to bury a job, and wait for its row. */
async function burying(): Promise<number> {
  const waiting = "SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock' AND query LIKE '%buried%'";
  return (await stage.pool.query(waiting)).rowCount ?? 0;
}

test.each([
  {
    heir: "buries it for as many attempts",
    maxAttempts: 1,
    meanwhile: () => eventually("that of the heir waits too", async () => (await burying()) === 2),
    told: ["LEASE_LOST", "dead: not this one"],
  },
  {
    heir: "is at its next attempt",
    maxAttempts: 2,
    meanwhile: (begun: readonly number[]) => eventually("the heir has begun", () => begun.includes(2)),
    told: ["LEASE_LOST", "dead: not this one"],
  },
  { heir: "comes to it later", maxAttempts: 2, meanwhile: "paused", told: ["dead: not this one"] },
] as const)("a death whose worker lost its lease before Valkey knew is told and counted once, where the heir $heir", async (how) => {
  const { maxAttempts, meanwhile } = how;
  const keyline = stage.keyline();
  const queue = keyline.queue<number>(`ending${queues++}`, { transactional: true, maxAttempts });
  const leaving = new AbortController();
  const events: string[] = [];
  const following = (async () => {
    for await (const event of queue.events({ signal: leaving.signal }))
      events.push(event.type === "dead" ? `dead: ${event.error}` : event.type);
  })();
  const told: unknown[] = [];
  const begun: number[] = [];
  const [goOn, over] = [gate(), gate()];
  const worker = queue.work(async ({ attempt }) => {
    begun.push(attempt);
    await (attempt === 1 ? goOn : over).opened;
    if (attempt === 1) throw new Discard("not this one");
  });
  worker.on("dead", (_, error) => told.push(`dead: ${error.message}`));
  worker.on("completed", () => told.push("completed"));
  worker.on("error", (error) => told.push((error as { code?: unknown }).code));
  const { id } = await queue.add(1);
  await eventually("it has begun", () => begun.length === 1);
  await eventually("events are told", async () => (await stage.valkey.exists(`${stage.prefix}:{${queue.name}}:feed`)) === 1);

  const other = await stage.pool.connect();
  await other.query("BEGIN");
  await other.query("SELECT FROM keyline.job WHERE queue = $1 AND id = $2 FOR UPDATE", [queue.name, id]);
  goOn.open();
  await eventually("its end waits", async () => (await burying()) === 1);
  if (meanwhile === "paused") await queue.pause();
  const workers = `${stage.prefix}:{${queue.name}}:workers`;
  const [lease = ""] = await stage.valkey.zrange(workers, 0, -1);
  await stage.valkey.zrem(workers, lease);
  if (meanwhile === "paused") await eventually("it waits for an heir", async () => (await queue.counts()).waiting === 1);
  else await meanwhile(begun);
  await other.query("COMMIT");
  other.release();

  await eventually("its death is told", () => told.length > 0);
  over.open();
  await queue.resume();
  await eventually("nothing is left", async () => {
    const { waiting, running } = await queue.counts();
    return waiting + running === 0;
  });
  await eventually("both are told", () => told.length === how.told.length);
  await worker.stop();
  await queue.add(2);
  await eventually("who follows has come to the next one", () => events.at(-1) === "added");
  leaving.abort();
  await following;
  expect(told).toHaveLength(how.told.length);
  expect(told).toEqual(expect.arrayContaining([...how.told]));
  expect(events.filter((event) => event.startsWith("dead") || event === "completed")).toEqual(["dead: Discard: not this one"]);
  await keyline.close();
  expect((await stage.keyline().queue(queue.name, { transactional: true }).rates({ minutes: 5 })).total).toMatchObject({
    dead: 1,
    completed: 0,
  });
});
