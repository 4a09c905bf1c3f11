import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Keyline, Logger, Queue } from "keyline";
import { eventually, gate, openStage, untilNoneIsLeft, type Stage } from "../../support/stage.ts";

type Numbers = Queue<number, number, true>;

// Whoever asks for a parent looks at children and parent at once: what others write meanwhile must not be left to those who look through all families.
describe.each(["repeatable read", "serializable"])("with %s as the database's default", (level) => {
  let stage: Stage;
  const debugs: string[] = [];
  const note = (_: object, message: string): void => void debugs.push(message);
  const logger: Logger = { debug: note, info: note, warn: note, error: note };

  beforeAll(async () => {
    stage = await openStage();
    await stage.pool.query(
      `DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET default_transaction_isolation = ''${level}''', current_database()); END $$`,
    );
    await stage.keyline().migrate();
  });
  afterAll(() => stage.close());

  const open = (keyline: Keyline, name: string): Numbers => keyline.queue<number>(name, { transactional: true });
  const below = (queue: Numbers): { queue: Numbers; data: number }[] => [1, 2].map((data) => ({ queue, data }));
  const counted = "SELECT count(*)::integer AS left FROM keyline.job WHERE queue = $1";
  // A statement of its own would be one of those that may stand in each other's way.
  const left = async (queue: Numbers): Promise<number> => {
    const client = await stage.pool.connect();
    try {
      await client.query("BEGIN ISOLATION LEVEL READ COMMITTED");
      const { rows } = await client.query<{ left: number }>(counted, [queue.name]);
      await client.query("COMMIT");
      return rows[0]?.left ?? 0;
    } finally {
      client.release();
    }
  };

  test("children that end at the same instant in two processes release their parent", async () => {
    const [one, other] = [stage.keyline({ logger }), stage.keyline({ logger })];
    const parents = open(one, "parents");
    const runs = new Map<string, number>();
    parents.work((job) => void runs.set(job.id, (runs.get(job.id) ?? 0) + 1), { concurrency: 10 });
    for (const keyline of [one, other]) open(keyline, "children").work((job) => job.data, { concurrency: 3 });
    const added = await Promise.all(Array.from({ length: 80 }, (_, n) => parents.add(n, { children: below(open(one, "children")) })));
    await untilNoneIsLeft("all parents have ended", () => left(parents));
    expect(runs).toEqual(new Map(added.map(({ id }) => [id, 1])));
    await Promise.all([one.close(), other.close()]);
    expect(debugs.filter((message) => message.includes("could not be asked"))).toEqual([]);
  });

  test("handlers that wait for children which end while they park go on", async () => {
    const [one, other] = [stage.keyline({ logger }), stage.keyline({ logger })];
    const parents = open(one, "waiting");
    const sums: number[] = [];
    open(other, "awaited").work((job) => job.data, { concurrency: 10 });
    parents.work(
      async (job, { step }) => {
        await step("split", (tx) => job.addChildren(below(open(one, "awaited")), { tx }));
        await job.childrenEnded();
        let sum = 0;
        for await (const { value } of job.children<number>()) sum += value ?? 0;
        sums.push(sum);
      },
      { concurrency: 5 },
    );
    await parents.addMany(Array.from({ length: 40 }, (_, data) => ({ data })));
    await untilNoneIsLeft("all parents have ended", () => left(parents));
    expect(sums).toEqual(Array.from({ length: 40 }, () => 3));
    await Promise.all([one.close(), other.close()]);
    expect(debugs.filter((message) => message.includes("could not be asked"))).toEqual([]);
  });

  test("a parent whose last child ends between its look and its parking goes on", async () => {
    const keyline = stage.keyline({ logger });
    const [parents, children] = [open(keyline, "late"), open(keyline, "last")];
    const client = await stage.pool.connect();
    const [isLocked, mayEnd] = [gate(), gate()];
    let runs = 0;
    const ended = new Promise((resolve) => {
      children.work(() => mayEnd.opened).on("completed", resolve);
    });
    parents.work(async (job, { step }) => {
      await step("split", (tx) => job.addChildren([{ queue: children, data: 1 }], { tx }));
      if (runs++ === 0) {
        await client.query("BEGIN");
        await client.query("SELECT FROM keyline.job WHERE queue = $1 AND id = $2 FOR UPDATE", [parents.name, job.id]);
        isLocked.open();
      }
      await job.childrenEnded();
    });
    const { id } = await parents.add(1);
    const waited = parents.waitFor(id);
    await isLocked.opened;
    const waits =
      "SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock' AND query LIKE '%await_children%'";
    await eventually("it waits for its row", async () => (await stage.pool.query(waits)).rowCount === 1);
    mayEnd.open();
    await ended;
    // Whoever ended it has asked, in vain.
    await children.counts();
    await client.query("ROLLBACK");
    client.release();
    await waited;
    await keyline.close();
  });
});
