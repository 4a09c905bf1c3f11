import { startValkey, startValkeyCluster, startValkeySentinel, type EmbeddedValkey } from "@keyline/embedded";
import { Valkey } from "iovalkey";
import type { Keyline, Queue } from "keyline";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { N } from "../../support/effects-stage.ts";
import { ownerOf } from "../../support/owner-of.ts";
import { startProcess } from "../../support/processes.ts";
import { eventually, gate, openStage, type Stage } from "../../support/stage.ts";

let stage: Stage;
beforeAll(async () => {
  stage = await openStage();
});
afterAll(() => stage.close());

const rules = { maxAttempts: 3, lease: 1_000, backoff: { type: "fixed", delay: 10, jitter: 0 } } as const;
let queues = 0;

function nextQueues(keyline: Keyline = stage.keyline()): readonly [Queue<N>, Queue<N>] {
  return [keyline.queue<N>(`kin${queues++}`, rules), keyline.queue<N>(`kin${queues++}`, rules)];
}

const family = (queue: Queue<N>, count: number): { queue: Queue<N>; data: N }[] =>
  Array.from({ length: count }, (_, n) => ({ queue, data: { n } }));

const isQuiet = async (queue: Queue<N>): Promise<boolean> => {
  const { waiting, running, scheduled, parked } = await queue.counts();
  return waiting + running + scheduled + parked === 0;
};

test("children that end at the same instant in two processes release their parent once, over and over", async () => {
  const [parents, children] = nextQueues();
  const runs = new Map<string, number>();
  const others = [stage.keyline(), stage.keyline()].map((keyline) => keyline.queue<N>(children.name, rules));
  const workers = [
    parents.work((job) => void runs.set(job.id, (runs.get(job.id) ?? 0) + 1), { concurrency: 10 }),
    ...others.map((queue) => queue.work(() => undefined, { concurrency: 2 })),
  ];
  const added = await Promise.all(Array.from({ length: 300 }, (_, n) => parents.add({ n }, { children: family(children, 2) })));
  await eventually("all parents have ended", () => isQuiet(parents));
  expect(runs).toEqual(new Map(added.map(({ id }) => [id, 1])));
  await Promise.all(workers.map((worker) => worker.stop()));
});

test("handlers that wait for children which end while they park go on, over and over", async () => {
  const [parents, children] = nextQueues();
  const other = stage.keyline().queue<N>(children.name, rules);
  const sums = new Map<number, number>();
  const workers = [
    other.work((job) => job.data.n, { concurrency: 20 }),
    parents.work(
      async (job) => {
        await job.addChildren(family(children, 2), { name: "split" });
        await job.childrenEnded();
        let sum = 0;
        for await (const { value } of job.children<number>()) sum += value ?? 0;
        sums.set(job.data.n, sum);
      },
      { concurrency: 10 },
    ),
  ];
  await parents.addMany(Array.from({ length: 100 }, (_, n) => ({ data: { n } })));
  await eventually("all parents have ended", () => isQuiet(parents));
  expect(sums).toEqual(new Map(Array.from({ length: 100 }, (_, n) => [n, 1])));
  await Promise.all(workers.map((worker) => worker.stop()));
});

test("a worker that is killed as soon as it knows that the last child has ended leaves nothing waiting", async () => {
  const [parents, children] = nextQueues();
  const settings = { valkey: stage.valkeyUrl, postgres: stage.databaseUrl, prefix: stage.prefix, queue: children.name };
  const values: unknown[] = [];
  const worker = parents.work(async (job) => {
    for await (const { value } of job.children()) values.push(value);
  });
  const { id } = await parents.add({ n: 0 }, { keepResult: 60_000, children: family(children, 3) });
  const killed = startProcess("family-worker.ts", { ...settings, transactional: false, dies: 2 });
  await killed.exited;
  expect(killed.child.signalCode).toBe("SIGKILL");
  expect(await stage.valkey.scard(`${stage.prefix}:{${children.name}}:family-owing`)).toBe(1);
  // Somebody has to look.
  const other = children.work(() => undefined);
  await parents.waitFor(id);
  expect(values).toEqual([0, 1, 2]);
  await Promise.all([worker.stop(), other.stop()]);
});

describe("children that are brought once more", () => {
  /** The keys of the only family of these queues. */
  async function keysOf(
    parents: Queue<N>,
  ): Promise<{ readonly family: string; readonly batch: string; readonly jobs: string; readonly due: string }> {
    const base = `${stage.prefix}:{${parents.name}}:`;
    const [name = ""] = await stage.valkey.zrange(`${base}families`, 0, -1);
    const family = `${base}family:${name}`;
    const [batch = ""] = ((await stage.valkey.hget(family, "batches")) ?? "").split(":");
    return { family, batch, jobs: `${base}family-jobs:${batch}`, due: `${base}families` };
  }

  /** As if nobody had noted that they were brought: the duty does it again. */
  async function bringAgain({ family, batch, due }: Awaited<ReturnType<typeof keysOf>>): Promise<void> {
    await stage.valkey.hset(family, `moved:${batch}`, 0);
    const [name = ""] = await stage.valkey.zrange(due, 0, -1);
    await stage.valkey.zadd(due, 1, name);
    await eventually("they were brought", async () => (await stage.valkey.hget(family, `moved:${batch}`)) !== "0");
  }

  test("are not added again, whether they wait, run or have ended", async () => {
    const [parents, children] = nextQueues();
    const go = gate();
    const ran: number[] = [];
    const { id } = await parents.add({ n: 0 }, { keepResult: 60_000, children: family(children, 20) });
    const keys = await keysOf(parents);
    const workers = [
      parents.work(async (job) => {
        let count = 0;
        for await (const { outcome } of job.children()) if (outcome === "completed") count++;
        return count;
      }),
      children.work(
        async (job) => {
          ran.push(job.data.n);
          if (job.data.n >= 10) await go.opened;
        },
        { concurrency: 2 },
      ),
    ];
    await eventually("ten have ended", async () => (await stage.valkey.hget(keys.family, "open")) === "10");
    await bringAgain(keys);
    go.open();
    expect(await parents.waitFor(id)).toBe(20);
    await eventually("nothing waits", () => isQuiet(children));
    expect(ran.toSorted((a, b) => a - b)).toEqual(Array.from({ length: 20 }, (_, n) => n));
    await Promise.all(workers.map((worker) => worker.stop()));
  });

  test("have their parent told once more, where its server has forgotten it", async () => {
    const [parents, children] = nextQueues();
    const go = gate();
    const ran: number[] = [];
    const { id } = await parents.add({ n: 0 }, { keepResult: 60_000, children: family(children, 3) });
    const keys = await keysOf(parents);
    const before = await stage.valkey.hget(keys.jobs, "1");
    const workers = [
      parents.work(async (job) => {
        const values: unknown[] = [];
        for await (const { value } of job.children()) values.push(value);
        return values;
      }),
      children.work(async (job) => {
        ran.push(job.data.n);
        if (job.data.n === 2) await go.opened;
        return job.data.n;
      }),
    ];
    await eventually("two have ended", async () => (await stage.valkey.hget(keys.family, "open")) === "1");
    // As a replica knows it that has not had the last of it.
    await stage.valkey.hset(keys.jobs, "1", before ?? "");
    await stage.valkey.hincrby(keys.family, "open", 1);
    await bringAgain(keys);
    go.open();
    expect(await parents.waitFor(id)).toEqual([0, 1, 2]);
    expect(ran).toEqual([0, 1, 2]);
    await Promise.all(workers.map((worker) => worker.stop()));
  });
});

test("a process that is killed while it adds leaves whole families, or nothing", async () => {
  const [parents, children] = nextQueues();
  const size = 300;
  for (let round = 0; round < 6; round++) {
    const settings = { valkey: stage.valkeyUrl, prefix: stage.prefix, parents: parents.name, children: children.name, size };
    const adder = startProcess("family-adder.ts", settings);
    await eventually("some are there", () => adder.lines.some(({ added }) => typeof added === "number" && added >= round));
    adder.signal("SIGKILL");
    await adder.exited;
    const sizes: number[] = [];
    const runs: number[] = [];
    const workers = [
      parents.work(async (job) => {
        let count = 0;
        for await (const { outcome } of job.children()) if (outcome === "completed") count++;
        sizes.push(count);
      }),
      children.work((job) => void runs.push(job.data.n), { concurrency: 50 }),
    ];
    await eventually("all parents have ended", async () => (await isQuiet(parents)) && (await isQuiet(children)));
    const told = adder.lines.filter(({ added }) => added !== undefined).length;
    const begun = adder.lines.filter(({ adds }) => adds !== undefined).length;
    expect(sizes.length).toBeGreaterThanOrEqual(told);
    expect(sizes.length).toBeLessThanOrEqual(begun);
    expect(sizes).toEqual(sizes.map(() => size));
    expect(runs.length).toBe(sizes.length * size);
    await Promise.all(workers.map((worker) => worker.stop()));
  }
}, 120_000);

test("Valkey is restarted in the middle: no family is lost, and each parent has all its children", async () => {
  const valkey = await startValkey({ persistence: true, config: { appendfsync: "always" } });
  const keyline = stage.keyline({ valkey: valkey.url });
  const [parents, children] = nextQueues(keyline);
  const counts = new Map<string, number>();
  const added = await Promise.all(Array.from({ length: 30 }, (_, n) => parents.add({ n }, { children: family(children, 40) })));
  let ended = 0;
  const workers = [
    parents.work(async (job) => {
      let count = 0;
      for await (const { outcome } of job.children()) if (outcome === "completed") count++;
      counts.set(job.id, count);
    }),
    children.work(() => void ended++, { concurrency: 5 }),
  ];
  await eventually("some have ended", () => ended > 300);
  await valkey.kill();
  await valkey.restart();
  await eventually("all parents have ended", async () => counts.size === added.length && (await isQuiet(parents)), 60_000);
  expect(counts).toEqual(new Map(added.map(({ id }) => [id, 40])));
  await Promise.all(workers.map((worker) => worker.stop()));
  await keyline.close();
  await valkey.stop();
}, 120_000);

test("a replica takes over in the middle: no family is stuck", async () => {
  const sentinel = await startValkeySentinel();
  const keyline = stage.keyline({
    valkey: { sentinels: sentinel.sentinels.map(({ host, port }) => ({ host, port })), name: sentinel.name },
  });
  const [parents, children] = nextQueues(keyline);
  const parentsRun = new Set<string>();
  let ended = 0;
  const added = await Promise.all(Array.from({ length: 30 }, (_, n) => parents.add({ n }, { children: family(children, 40) })));
  const workers = [parents.work((job) => void parentsRun.add(job.id)), children.work(() => void ended++, { concurrency: 5 })];
  await eventually("some have ended", () => ended > 300);
  await sentinel.primary.kill();
  await eventually("nothing waits any more", async () => (await isQuiet(parents).catch(() => false)) && isQuiet(children), 90_000);
  // All were acknowledged long before the replica took over.
  expect(parentsRun.size).toBe(added.length);
  await Promise.all(workers.map((worker) => worker.stop()));
  await keyline.close();
  await sentinel.stop();
}, 180_000);

describe("on a cluster, where parents and children are in different slots", () => {
  test("the slots of the children lose everything alone: they are added again, and their parents run", async () => {
    const cluster = await startValkeyCluster();
    const keyline = stage.keyline({ valkey: { cluster: cluster.nodes.map(({ host, port }) => ({ host, port })) } });
    // Names whose slots different nodes own.
    const parents = keyline.queue<N>("kin-a", rules);
    const owner = await ownerOf(`${stage.prefix}:{kin-a}:probe`, cluster.nodes);
    let below: Queue<N> | undefined;
    let lost: EmbeddedValkey | undefined;
    for (let number = 0; !below; number++) {
      lost = await ownerOf(`${stage.prefix}:{kin-b${number}}:probe`, cluster.nodes);
      if (lost !== owner) below = keyline.queue<N>(`kin-b${number}`, rules);
    }
    const children = below;
    const nested = { queue: children, data: { n: 100 }, options: { children: family(children, 3) } };
    const added = await Promise.all(
      Array.from({ length: 10 }, (_, n) => parents.add({ n }, { keepResult: 60_000, children: [...family(children, 5), nested] })),
    );
    const client = new Valkey(lost?.port ?? 0, lost?.host ?? "");
    await client.flushall();
    client.disconnect();
    expect(await children.counts()).toMatchObject({ waiting: 0 });
    expect(await parents.counts()).toMatchObject({ parked: 10 });
    const workers = [
      parents.work(async (job) => {
        let sum = 0;
        for await (const { value } of job.children<number>()) sum += value ?? 0;
        return sum;
      }),
      children.work(async (job) => {
        let sum = job.data.n;
        for await (const { value } of job.children<number>()) sum += value ?? 0;
        return sum;
      }),
    ];
    const results = await Promise.all(added.map(({ id }) => parents.waitFor(id, { timeout: 60_000 })));
    expect(results).toEqual(added.map(() => 113));
    // Those of the parents alone: their children are nobody's any more, and nothing waits.
    await Promise.all(Array.from({ length: 5 }, (_, n) => parents.add({ n }, { children: family(children, 5) })));
    const other = new Valkey(owner.port, owner.host);
    await other.flushall();
    other.disconnect();
    await eventually("nothing waits", async () => (await isQuiet(parents)) && (await isQuiet(children)), 60_000);
    await Promise.all(workers.map((worker) => worker.stop()));
    await keyline.close();
    await cluster.stop();
  }, 180_000);
});
