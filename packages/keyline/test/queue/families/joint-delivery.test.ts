import { afterAll, beforeAll, expect, test } from "vitest";
import type { Keyline, Queue, Worker } from "keyline";
import pg from "pg";
import { openEffectsStage, type EffectsStage, type N } from "../../support/effects-stage.ts";
import { eventually, gate, openQuietStage, untilNoneIsLeft } from "../../support/stage.ts";
import { containing, startWireProxy, targetOf, through } from "../../support/wire-proxy.ts";

let stage: EffectsStage;
beforeAll(async () => {
  stage = await openEffectsStage(openQuietStage);
});
afterAll(() => stage.close());

type Numbers = Queue<N, N, true>;

const many = 120;

const family = (queue: Numbers, count: number): { queue: Numbers; data: N }[] =>
  Array.from({ length: count }, (_, n) => ({ queue, data: { n } }));

const open = (keyline: Keyline, { name }: Numbers): Numbers => keyline.queue<N>(name, { transactional: true, maxAttempts: 3 });

async function deliveriesOf(queue: Numbers): Promise<number> {
  const { rows } = await stage.pool.query<{ count: number }>("SELECT count(*)::integer AS count FROM keyline.delivery WHERE queue = $1", [
    queue.name,
  ]);
  return rows[0]?.count ?? 0;
}

/** Resolves when a rebuild was made, so that the next one is the test's own. */
async function quiet(...queues: Numbers[]): Promise<void> {
  await eventually("the relay has looked after the queues", async () => {
    const names = queues.map(({ name }) => name);
    const { rows } = await stage.pool.query("SELECT FROM keyline.queue WHERE name = ANY($1) AND rebuilt_epoch = epoch", [names]);
    return rows.length === queues.length;
  });
}

/** Works until a parent was given what its children came to; each of them counts once. */
async function expectWhole(parents: Numbers, children: Numbers, count = many): Promise<void> {
  const given: (number | undefined)[] = [];
  const ran: number[] = [];
  const workers: Worker<N>[] = [
    parents.work(async (job) => {
      given.length = 0;
      for await (const { value } of job.children<number>()) given.push(value);
    }),
    children.work(
      async ({ data: { n } }, { settle }) => {
        await settle(async (tx) => {
          await stage.write(tx, children.name, n);
          return n;
        });
        ran.push(n);
      },
      { concurrency: 20 },
    ),
  ];
  await untilNoneIsLeft(
    "all has ended",
    async () => (await stage.rowsOf(parents.name)).length + (await stage.rowsOf(children.name)).length,
  );
  const all = Array.from({ length: count }, (_, n) => n);
  expect(given).toEqual(all);
  expect(await stage.effectsOf(children.name)).toEqual(all);
  expect(new Set(ran)).toEqual(new Set(all));
  await Promise.all(workers.map((worker) => worker.stop()));
}

/** What a process has committed that died before it pushed anything. */
async function commitUnpushed(parents: Numbers, children: Numbers): Promise<void> {
  const ids = Array.from({ length: many }, (_, n) => `c${String(n).padStart(4, "0")}`);
  const { rows } = await stage.pool.query<{ deliveries: Record<string, string> }>(
    `SELECT deliveries FROM keyline.add_large_family($1, 'above', '{"n":0}', NULL, NULL, NULL, 'die', $2, $3, $4, NULL, NULL, NULL, NULL, NULL, NULL, NULL, $5, $6, NULL,
      NULL, $7::json)`,
    [
      parents.name,
      ids.map(() => children.name),
      ids,
      ids.map((_, n) => JSON.stringify({ n })),
      ids.map(() => parents.name),
      ids.map(() => "above"),
      JSON.stringify([{ queue: children.name, first: ids[0], last: ids.at(-1) }]),
    ],
  );
  expect(Object.keys(rows[0]?.deliveries ?? {})).toEqual([children.name]);
}

test("the delivery of a large family is noted once for all of its children", async () => {
  const [parents, children] = [stage.nextQueue(), stage.nextQueue()];
  await parents.add({ n: 0 }, { children: family(children, many) });
  await eventually("it is noted", async () => (await deliveriesOf(children)) === 0);
  const { rows } = await stage.pool.query("SELECT count(DISTINCT xmin::text)::integer AS writers FROM keyline.job WHERE queue = $1", [
    children.name,
  ]);
  // Each row is as it was added.
  expect(rows).toEqual([{ writers: 1 }]);
  expect(await stage.waiting(children.name)).toHaveLength(many);
  await expectWhole(parents, children);
});

test("a large family whose process died before it was pushed is delivered by another one", async () => {
  const [parents, children] = [stage.nextQueue(), stage.nextQueue()];
  await commitUnpushed(parents, children);
  await expectWhole(parents, children);
  expect(await deliveriesOf(children)).toBe(0);
});

test("a large family that Valkey has forgotten is delivered again, noted or not", async () => {
  const [parents, children] = [stage.nextQueue(), stage.nextQueue()];
  const [others, below] = [stage.nextQueue(), stage.nextQueue()];
  await parents.add({ n: 0 }, { children: family(children, many) });
  await eventually("it is noted", async () => (await deliveriesOf(children)) === 0);
  await commitUnpushed(others, below);
  await stage.valkey.flushall();
  await Promise.all([expectWhole(parents, children), expectWhole(others, below)]);
});

test("a large family that could not be pushed is left to the relay at once", async () => {
  const [parents, children] = [stage.nextQueue(), stage.nextQueue()];
  await quiet(parents, children);
  const toValkey = await startWireProxy({ target: targetOf(stage.valkeyUrl) });
  const keyline = stage.keyline({ valkey: `valkey://127.0.0.1:${toValkey.port}` });
  const [above, below] = [open(keyline, parents), open(keyline, children)];
  await above.add({ n: 0 }, { children: family(below, 1) });
  await eventually("it was pushed", async () => (await stage.waiting(children.name)).length === 1);
  await toValkey.refuse(true);
  toValkey.cutBeforeForward(containing("lpush"), { times: 10 });
  await above.add({ n: 1 }, { children: family(below, many) });
  await eventually("nothing is left to note", async () => (await deliveriesOf(children)) === 0);
  const rows = await stage.rowsOf(children.name);
  expect(rows.filter(({ delivered_to: to }) => to?.startsWith("delivery:"))).toEqual([]);
  await eventually("it was brought", async () => (await stage.waiting(children.name)).length === many + 1);
  toValkey.passAll();
  await toValkey.refuse(false);
  await keyline.close();
  await toValkey.stop();
});

test("what was pushed to a memory that is gone when it is noted counts as not delivered", async () => {
  const [parents, children] = [stage.nextQueue(), stage.nextQueue()];
  await quiet(parents, children);
  const toPostgres = await startWireProxy({ target: targetOf(stage.databaseUrl) });
  const keyline = stage.keyline({ postgres: { connectionString: through(stage.databaseUrl, toPostgres), max: 20 } });
  const [above, below] = [open(keyline, parents), open(keyline, children)];
  const held = gate();
  toPostgres.holdRequest(containing("note_deliveries"), held.opened);
  await above.add({ n: 0 }, { children: family(below, many) });
  await eventually("its note is on its way", () => toPostgres.held > 0);
  await stage.valkey.flushall();
  // Whoever connects again looks which memory it is, before the relay has waited long enough for the note.
  await stage.valkey.call("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes");
  await quietWithNewEpoch(children);
  expect(await deliveriesOf(children)).toBe(1);
  held.open();
  toPostgres.passAll();
  await expectWhole(parents, children);
  await keyline.close();
  await toPostgres.stop();
});

test("within a transaction, what was rolled back to a savepoint is not there, and the rest is delivered", async () => {
  const [parents, children] = [stage.nextQueue(), stage.nextQueue()];
  const client = new pg.Client({ connectionString: stage.databaseUrl });
  await client.connect();
  await client.query("BEGIN");
  await parents.add({ n: 0 }, { children: family(children, many), tx: client });
  await client.query("SAVEPOINT here");
  await parents.add({ n: 1 }, { children: family(children, many), tx: client });
  await client.query("ROLLBACK TO SAVEPOINT here");
  await client.query("COMMIT");
  await client.end();
  await expectWhole(parents, children);
  expect(await deliveriesOf(children)).toBe(0);
});

test("a delivery is released page by page, also while its jobs end", async () => {
  const [parents, children] = [stage.nextQueue(), stage.nextQueue()].map(({ name }) => ({ name: `unserved-${name}` }) as Numbers);
  if (!parents || !children) throw new Error("there are two");
  await commitUnpushed(parents, children);
  const { rows } = await stage.pool.query<{ id: string }>("SELECT id FROM keyline.delivery WHERE queue = $1", [children.name]);
  const id = rows[0]?.id;
  const release = async (): Promise<boolean> => {
    const released = await stage.pool.query<{ done: boolean }>("SELECT keyline.release_delivery($1, 50) AS done", [id]);
    return released.rows[0]?.done ?? true;
  };
  expect(await release()).toBe(false);
  const ended = ["c0010", "c0060", "c0061"];
  const other = await stage.pool.connect();
  await other.query("BEGIN");
  await other.query("SELECT keyline.settle_jobs($1, $2, NULL)", [children.name, ended.join("\x1f")]);
  const second = release();
  await eventually("it waits for those that end", async () => {
    const waiting = await stage.pool.query("SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'");
    return waiting.rows.length > 0;
  });
  await other.query("COMMIT");
  other.release();
  expect(await second).toBe(false);
  expect(await release()).toBe(true);
  expect(await release()).toBe(true);
  const left = await stage.rowsOf(children.name);
  expect(left).toHaveLength(many - ended.length);
  expect(left.filter(({ delivered_to: to }) => to !== null)).toEqual([]);
  expect(await deliveriesOf(children)).toBe(0);
});

async function quietWithNewEpoch(queue: Numbers): Promise<void> {
  const { rows } = await stage.pool.query<{ epoch: string }>("SELECT epoch FROM keyline.queue WHERE name = $1", [queue.name]);
  const before = rows[0]?.epoch ?? "";
  await eventually("another memory was looked after", async () => {
    const found = await stage.pool.query("SELECT FROM keyline.queue WHERE name = $1 AND rebuilt_epoch = epoch AND epoch <> $2", [
      queue.name,
      before,
    ]);
    return found.rows.length === 1;
  });
}
