import { afterAll, beforeAll, expect, test } from "vitest";
import type { Queue } from "keyline";
import { openEffectsStage, type EffectsStage, type N } from "../../support/effects-stage.ts";
import { startProcess } from "../../support/processes.ts";
import { eventually, openQuietStage, untilNoneIsLeft } from "../../support/stage.ts";

let stage: EffectsStage;
beforeAll(async () => {
  stage = await openEffectsStage(openQuietStage);
});
afterAll(() => stage.close());

type Numbers = Queue<N, N, true>;

const family = (queue: Numbers, count: number): { queue: Numbers; data: N }[] =>
  Array.from({ length: count }, (_, n) => ({ queue, data: { n } }));

test("children that end at the same instant in two processes release their parent once, over and over", async () => {
  const [parents, children] = [stage.nextQueue(), stage.nextQueue()];
  const runs = new Map<string, number>();
  const others = [stage.keyline(), stage.keyline()].map((keyline) =>
    keyline.queue<N>(children.name, { transactional: true, maxAttempts: 3 }),
  );
  const workers = [
    parents.work((job) => void runs.set(job.id, (runs.get(job.id) ?? 0) + 1), { concurrency: 10 }),
    ...others.map((queue) => queue.work(() => undefined, { concurrency: 2 })),
  ];
  const added = await Promise.all(Array.from({ length: 150 }, (_, n) => parents.add({ n }, { children: family(children, 2) })));
  await untilNoneIsLeft("all parents have ended", async () => (await stage.rowsOf(parents.name)).length);
  expect(runs).toEqual(new Map(added.map(({ id }) => [id, 1])));
  await Promise.all(workers.map((worker) => worker.stop()));
});

test("handlers that wait for children which end while they park go on, over and over", async () => {
  const [parents, children] = [stage.nextQueue(), stage.nextQueue()];
  const other = stage.keyline().queue<N>(children.name, { transactional: true, maxAttempts: 3 });
  const sums = new Map<number, number>();
  const workers = [
    other.work((job) => job.data.n, { concurrency: 20 }),
    parents.work(
      async (job, { step }) => {
        await step("split", (tx) => job.addChildren(family(children, 2), { tx }));
        await job.childrenEnded();
        let sum = 0;
        for await (const { value } of job.children<number>()) sum += value ?? 0;
        sums.set(job.data.n, sum);
      },
      { concurrency: 10 },
    ),
  ];
  await parents.addMany(Array.from({ length: 60 }, (_, n) => ({ data: { n } })));
  await untilNoneIsLeft("all parents have ended", async () => (await stage.rowsOf(parents.name)).length);
  expect(sums).toEqual(new Map(Array.from({ length: 60 }, (_, n) => [n, 1])));
  await Promise.all(workers.map((worker) => worker.stop()));
});

test("a parent whose last child ended in a process that died before it asked is found", async () => {
  const [parents, children] = [stage.nextQueue(), stage.nextQueue()];
  const { id } = await parents.add({ n: 0 }, { children: family(children, 1) });
  const waited = parents.waitFor(id);
  const worker = parents.work(() => undefined);
  // What that process had committed.
  const [child] = await stage.rowsOf(children.name);
  await stage.pool.query("SELECT keyline.settle_job($1, $2, 0)", [children.name, child?.id]);
  await waited;
  await worker.stop();
});

test("a look for such parents that had to wait does not put the next one off", async () => {
  const [parents, children] = [stage.nextQueue(), stage.nextQueue()];
  const { id } = await parents.add({ n: 0 }, { children: family(children, 1) });
  const client = await stage.pool.connect();
  await client.query("BEGIN");
  await client.query("LOCK TABLE keyline.family IN ACCESS EXCLUSIVE MODE");
  const waiting = "SELECT FROM pg_locks WHERE relation = 'keyline.family'::regclass AND NOT granted";
  await eventually("a look waits", async () => (await stage.pool.query(waiting)).rows.length > 0);
  await new Promise((resolve) => setTimeout(resolve, 3_000));
  await client.query("COMMIT");
  client.release();
  let hasRun = false;
  const worker = parents.work((job) => void (hasRun ||= job.id === id));
  const [child] = await stage.rowsOf(children.name);
  await stage.pool.query("SELECT keyline.settle_job($1, $2, 0)", [children.name, child?.id]);
  await eventually("the parent has run", () => hasRun);
  await worker.stop();
});

test("a parent whose child is gone without a word, or was cancelled by SQL, is found", async () => {
  const [parents, children] = [stage.nextQueue(), stage.nextQueue()];
  const outcomes: string[] = [];
  const worker = parents.work(async (job) => {
    for await (const { outcome } of job.children()) outcomes.push(outcome);
  });
  const { id } = await parents.add({ n: 0 }, { children: family(children, 3) });
  const waited = parents.waitFor(id);
  const [first, second, third] = await stage.rowsOf(children.name);
  await stage.pool.query("DELETE FROM keyline.job WHERE queue = $1 AND id = ANY($2)", [children.name, [first?.id, third?.id]]);
  await stage.pool.query("UPDATE keyline.job SET state = 'cancelled' WHERE queue = $1 AND id = $2", [children.name, second?.id]);
  await waited;
  expect(outcomes).toEqual(["cancelled", "cancelled", "cancelled"]);
  await worker.stop();
});

test("a family goes on after Valkey has lost everything, parked parents included", async () => {
  const [parents, children] = [stage.nextQueue(), stage.nextQueue()];
  await Promise.all(Array.from({ length: 20 }, (_, n) => parents.add({ n }, { children: family(children, 3) })));
  await eventually("all is delivered", async () => (await stage.rowsOf(children.name)).every(({ delivered_to: to }) => to !== null));
  await stage.valkey.flushall();
  const values = new Map<unknown, number>();
  const workers = [
    parents.work(async (job) => {
      for await (const { value } of job.children()) values.set(value, (values.get(value) ?? 0) + 1);
    }),
    children.work((job) => job.data.n),
  ];
  await untilNoneIsLeft("all parents have ended", async () => (await stage.rowsOf(parents.name)).length);
  expect(values).toEqual(new Map([0, 1, 2].map((value) => [value, 20])));
  await Promise.all(workers.map((worker) => worker.stop()));
});

test("a cancelled family is cancelled below also where whoever cancelled it died", async () => {
  const [parents, children] = [stage.nextQueue(), stage.nextQueue()];
  const { id } = await parents.add(
    { n: 0 },
    { children: [{ queue: children, data: { n: 1 }, options: { children: family(children, 3) } }, ...family(children, 3)] },
  );
  // What that process had committed.
  await stage.pool.query("SELECT * FROM keyline.cancel_jobs($1, $2, 1000)", [parents.name, [id]]);
  await untilNoneIsLeft("nothing is left below it", async () => {
    const rows = await stage.rowsOf(children.name);
    return rows.filter(({ state }) => state !== "cancelled").length;
  });
  await untilNoneIsLeft("its rows are gone", async () => {
    const { rows } = await stage.pool.query<{ count: string }>("SELECT count(*) FROM keyline.family WHERE queue = ANY($1)", [
      [parents.name, children.name],
    ]);
    return Number(rows[0]?.count);
  });
});

test("a worker that is killed right behind the COMMIT of the last child leaves nothing waiting", async () => {
  const [parents, children] = [stage.nextQueue(), stage.nextQueue()];
  const settings = {
    valkey: stage.valkeyUrl,
    postgres: stage.databaseUrl,
    prefix: stage.prefix,
    queue: children.name,
    transactional: true,
  };
  const values: unknown[] = [];
  const worker = parents.work(async (job) => {
    for await (const { value } of job.children()) values.push(value);
  });
  const { id } = await parents.add({ n: 0 }, { children: family(children, 3) });
  const waited = parents.waitFor(id);
  const killed = startProcess("family-worker.ts", { ...settings, dies: 2 });
  await killed.exited;
  expect(killed.child.signalCode).toBe("SIGKILL");
  await waited;
  expect(values).toEqual([0, 1, 2]);
  await worker.stop();
});
