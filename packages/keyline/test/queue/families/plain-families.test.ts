import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Discard, type ChildResult, type Job, type Queue } from "keyline";
import type { N } from "../../support/effects-stage.ts";
import { eventually, gate, openStage, type Stage } from "../../support/stage.ts";

let stage: Stage;
beforeAll(async () => {
  stage = await openStage();
});
afterAll(() => stage.close());

let queues = 0;
function nextQueue(): Queue<N> {
  return stage.keyline().queue<N>(`plain${queues++}`, { maxAttempts: 3, backoff: { type: "fixed", delay: 10, jitter: 0 } });
}
/** Two of one Keyline. */
function nextQueues(): readonly [Queue<N>, Queue<N>] {
  const keyline = stage.keyline();
  const rules = { maxAttempts: 3, backoff: { type: "fixed", delay: 10, jitter: 0 } } as const;
  return [keyline.queue<N>(`plain${queues++}`, rules), keyline.queue<N>(`plain${queues++}`, rules)];
}

const family = (queue: Queue<N>, count: number): { queue: Queue<N>; data: N }[] =>
  Array.from({ length: count }, (_, n) => ({ queue, data: { n } }));

/** What families have left on Valkey, but for what is known of children for a few minutes. */
async function leftOf(...some: Queue<N>[]): Promise<string[]> {
  const keys = await stage.valkey.keys(`${stage.prefix}:{*}:famil*`);
  return keys.filter((key) => some.some(({ name }) => key.includes(`{${name}}`)) && !/family-(children:|owed:|owing)/.test(key));
}

async function resultsOf(job: Job<N>): Promise<ChildResult[]> {
  const results: ChildResult[] = [];
  for await (const result of job.children()) results.push(result);
  return results;
}

test("a child of a Keyline that was closed is refused before anything is written, and named", async () => {
  const [parents, children] = nextQueues();
  const closed = stage.keyline();
  const gone = closed.queue<N>(children.name);
  await closed.close();
  const refusal = { code: "CLOSED", message: expect.stringMatching(/children\[1\]\.queue is \w+ of a Keyline that was closed/) as string };
  const some = [...family(children, 1), ...family(gone, 1)];
  await expect(parents.add({ n: 0 }, { children: some })).rejects.toMatchObject(refusal);
  expect(await leftOf(parents, children)).toEqual([]);
  const refused = Promise.withResolvers<unknown>();
  const worker = parents.work((job) => job.addChildren(some, { name: "split" }).catch(refused.resolve));
  await parents.add({ n: 0 });
  expect(await refused.promise).toMatchObject(refusal);
  await eventually("the handler ended, and nothing is left of it", async () => (await parents.counts()).running === 0);
  expect((await children.counts()).waiting).toBe(0);
  await worker.stop();
});

describe("a parent on a plain queue", () => {
  test("runs once all its children have ended, and is given what they came to, in their order", async () => {
    const [parents, children] = nextQueues();
    const ran: string[] = [];
    const results: ChildResult[] = [];
    const worker = parents.work(async (job) => {
      ran.push("parent");
      results.push(...(await resultsOf(job)));
    });
    const { id, added } = await parents.add({ n: 0 }, { children: family(children, 3) });
    expect(added).toBe(true);
    expect(await parents.job(id)).toMatchObject({ state: "parked", dueAt: undefined });
    expect(await parents.counts()).toMatchObject({ parked: 1, scheduled: 0, waiting: 0 });
    expect(await parents.promote(id)).toBe(false);
    expect(await parents.update(id, { delay: 0 })).toEqual({ updated: false, state: "parked" });
    const waited = parents.waitFor(id);
    const childWorker = children.work((job) => {
      ran.push(`child ${job.data.n}`);
      return job.data.n * 10;
    });
    await waited;
    expect(ran).toEqual(["child 0", "child 1", "child 2", "parent"]);
    expect(results.map(({ queue, outcome, value }) => ({ queue, outcome, value }))).toEqual(
      [0, 10, 20].map((value) => ({ queue: children.name, outcome: "completed", value })),
    );
    expect(await parents.counts()).toMatchObject({ waiting: 0, parked: 0 });
    await eventually("nothing is left of it", async () => (await leftOf(parents, children)).length === 0);
    await Promise.all([worker.stop(), childWorker.stop()]);
  });

  test("is given results in pages, also of many", async () => {
    const [parents, children] = nextQueues();
    const values: unknown[] = [];
    const worker = parents.work(async (job) => {
      values.push(...(await resultsOf(job)).map(({ value }) => value));
    });
    const childWorker = children.work((job) => job.data.n, { concurrency: 50 });
    const { id } = await parents.add({ n: 0 }, { children: family(children, 1_200) });
    await parents.waitFor(id);
    expect(values).toEqual(Array.from({ length: 1_200 }, (_, n) => n));
    await Promise.all([worker.stop(), childWorker.stop()]);
  });

  test("may be a child itself, in the same queue too", async () => {
    const queue = nextQueue();
    const ran: number[] = [];
    const worker = queue.work(async (job) => {
      let sum = job.data.n;
      for await (const { value } of job.children<number>()) sum += value ?? 0;
      ran.push(job.data.n);
      return sum;
    });
    const leaf = (n: number) => ({ queue, data: { n } });
    const middle = (n: number, ...children: { queue: Queue<N>; data: N }[]) => ({ queue, data: { n }, options: { children } });
    const { id } = await queue.add(
      { n: 10_000 },
      { keepResult: 60_000, children: [middle(1_000, middle(100, leaf(1), leaf(2)), leaf(3)), leaf(4), middle(20_000, leaf(5))] },
    );
    expect(await queue.waitFor(id)).toBe(31_115);
    expect(ran.at(-1)).toBe(10_000);
    expect(ran.indexOf(1_000)).toBeGreaterThan(ran.indexOf(100));
    await worker.stop();
  });

  test("with an id that is known is not added, and nothing below it is", async () => {
    const [parents, children] = nextQueues();
    await parents.add({ n: 1 }, { id: "one" });
    expect(await parents.add({ n: 2 }, { id: "one", children: family(children, 2) })).toEqual({ id: "one", added: false });
    expect(await children.counts()).toMatchObject({ waiting: 0 });
    expect(await leftOf(parents, children)).toEqual([]);
  });

  test("has children with delays, priorities, groups and ids of their own", async () => {
    const [parents, children] = nextQueues();
    const ran: N[] = [];
    const child = (n: number, options: object) => ({ queue: children, data: { n }, options });
    const { id } = await parents.add(
      { n: 0 },
      {
        keepResult: 60_000,
        children: [
          child(1, { delay: 200 }),
          child(2, { group: "g" }),
          child(3, { group: "g" }),
          child(4, { priority: "high", id: "four" }),
        ],
      },
    );
    expect(await children.counts()).toMatchObject({ scheduled: 1, blocked: 1 });
    const worker = children.work((job) => void ran.push(job.data), { concurrency: 1 });
    const parentWorker = parents.work(async (job) => (await resultsOf(job)).length);
    expect(await parents.waitFor(id)).toBe(4);
    expect(ran.map(({ n }) => n).toSorted((a, b) => a - b)).toEqual([1, 2, 3, 4]);
    const order = ran.map(({ n }) => n);
    expect(order.indexOf(2)).toBeLessThan(order.indexOf(3));
    expect(await children.add({ n: 5 }, { id: "four" })).toMatchObject({ added: true });
    await Promise.all([worker.stop(), parentWorker.stop()]);
  });
});

describe("the death of a child", () => {
  async function withDeath(
    onChildDead: "die" | "ignore" | "value",
  ): Promise<{ error: Error | undefined; results: ChildResult[]; parents: Queue<N>; id: string }> {
    const [parents, children] = nextQueues();
    const results: ChildResult[] = [];
    const worker = parents.work(async (job) => void results.push(...(await resultsOf(job))));
    const { id } = await parents.add({ n: 0 }, { onChildDead, children: family(children, 3) });
    const waited = parents.waitFor(id).then(
      () => undefined,
      (error: Error) => error,
    );
    const childWorker = children.work((job) => {
      if (job.data.n === 1) throw new Error("too bad");
    });
    const error = await waited;
    await Promise.all([worker.stop(), childWorker.stop()]);
    return { error, results, parents, id };
  }

  test("kills the parent, which says whose death it was; redriven it runs and is told", async () => {
    const { error, results, parents, id } = await withDeath("die");
    expect(error).toMatchObject({ code: "JOB_DEAD" });
    expect(error?.message).toMatch(/Its child \S+ of queue \S+ is dead: .*too bad/);
    expect(results).toEqual([]);
    expect(await parents.counts()).toMatchObject({ parked: 0, dead: 1 });
    const outcomes: string[] = [];
    const worker = parents.work(async (job) => void outcomes.push(...(await resultsOf(job)).map(({ outcome }) => outcome)));
    expect(await parents.redrive({ ids: [id] })).toBe(1);
    await eventually("it has run", () => outcomes.length > 0);
    expect(outcomes).toContain("dead");
    await eventually("nothing is left of it", async () => (await leftOf(parents)).length === 0);
    await worker.stop();
  });

  test.each(["ignore", "value"] as const)("counts as an end with %j, and the parent is told", async (how) => {
    const { error, results } = await withDeath(how);
    expect(error).toBeUndefined();
    expect(results.map(({ outcome }) => outcome)).toEqual(["completed", "dead", "completed"]);
    expect(results[1]?.reason).toMatch("too bad");
  });
});

describe("a cancelled job", () => {
  test("takes along what has not begun below it, at any depth, and leaves what runs", async () => {
    const [parents, children] = nextQueues();
    const [begun, go] = [gate(), gate()];
    const ended: number[] = [];
    const worker = children.work(async (job) => {
      begun.open();
      await go.opened;
      ended.push(job.data.n);
    });
    const nested = { queue: parents, data: { n: 100 }, options: { children: family(children, 5) } };
    const { id } = await parents.add({ n: 0 }, { children: [...family(children, 20), nested] });
    await begun.opened;
    expect(await parents.cancel(id)).toBe("scheduled");
    const parentWorker = parents.work(() => undefined);
    await eventually("the others are cancelled", async () => (await children.counts()).waiting === 0);
    await eventually("nothing is left of it", async () => (await leftOf(parents, children)).length === 0);
    go.open();
    await eventually("what ran has ended", async () => ended.length > 0 && (await children.counts()).running === 0);
    expect(ended[0]).toBe(0);
    expect(ended.length).toBeLessThan(5);
    expect(await parents.counts()).toMatchObject({ parked: 0, waiting: 0, running: 0 });
    await Promise.all([worker.stop(), parentWorker.stop()]);
  });

  test("that is the last child lets its parent run", async () => {
    const [parents, children] = nextQueues();
    const results: ChildResult[] = [];
    const worker = parents.work(async (job) => void results.push(...(await resultsOf(job))));
    const { id } = await parents.add({ n: 0 }, { children: [{ queue: children, data: { n: 1 }, options: { id: "only" } }] });
    const waited = parents.waitFor(id);
    expect(await children.cancel("only")).toBe("waiting");
    await waited;
    expect(results).toMatchObject([{ id: "only", outcome: "cancelled" }]);
    await worker.stop();
  });
});

describe("a handler of a plain queue", () => {
  test("adds children once under a name, and goes on when they have ended", async () => {
    const [parents, children] = nextQueues();
    let runs = 0;
    const worker = parents.work(async (job) => {
      runs++;
      await job.addChildren(family(children, 5), { name: "split" });
      if (runs === 1) throw new Error("again");
      await job.childrenEnded();
      let sum = 0;
      for await (const { value } of job.children<number>()) sum += value ?? 0;
      return sum;
    });
    const { id } = await parents.add({ n: 0 }, { keepResult: 60_000 });
    await eventually("it waits", async () => (await parents.job(id))?.state === "parked");
    const childWorker = children.work((job) => job.data.n);
    expect(await parents.waitFor(id)).toBe(10);
    expect(runs).toBe(3);
    await eventually("nothing is left of it", async () => (await leftOf(parents, children)).length === 0);
    await Promise.all([worker.stop(), childWorker.stop()]);
  });

  test("need not wait for them", async () => {
    const [parents, children] = nextQueues();
    const seen: string[] = [];
    const worker = parents.work(async (job) => {
      await job.addChildren(family(children, 3), { name: "split" });
      seen.push(...(await resultsOf(job)).map(({ outcome }) => outcome));
    });
    const { id } = await parents.add({ n: 0 }, { keepResult: 60_000 });
    await parents.waitFor(id);
    expect(seen).toEqual(["open", "open", "open"]);
    const ran: number[] = [];
    const childWorker = children.work((job) => void ran.push(job.data.n));
    await eventually("they ran", () => ran.length === 3);
    await eventually("nothing is left of it", async () => (await leftOf(parents, children)).length === 0);
    await Promise.all([worker.stop(), childWorker.stop()]);
  });

  test.each([
    ["without a name", {}, /needs a name/],
    ["with a tx", { tx: {} }, /is not transactional/],
  ])("is refused children %s", async (_, options, message) => {
    const [parents, children] = nextQueues();
    const errors: string[] = [];
    const worker = parents.work(async (job) => {
      await job.addChildren(family(children, 1), options as never).catch((error: Error) => void errors.push(error.message));
      await job.addChildren(family(children, 1), { name: "once" });
      await job.addChildren(family(children, 1), { name: "once" }).catch((error: Error) => void errors.push(error.message));
    });
    const { id } = await parents.add({ n: 0 }, { keepResult: 60_000 });
    await parents.waitFor(id);
    expect(errors).toMatchObject([message, /under the name once in this run/].map((one) => expect.stringMatching(one) as string));
    expect(await children.counts()).toMatchObject({ waiting: 1 });
    await worker.stop();
  });

  test("of a job of a group cannot add any", async () => {
    const [parents, children] = nextQueues();
    const errors: string[] = [];
    const worker = parents.work((job) =>
      job.addChildren(family(children, 1), { name: "a" }).catch((error: Error) => void errors.push(error.message)),
    );
    const { id } = await parents.add({ n: 0 }, { group: "g", keepResult: 60_000 });
    await parents.waitFor(id);
    expect(errors).toEqual([expect.stringMatching(/is of a group/)]);
    await worker.stop();
  });
});

test("an attempt whose job another worker has ended is told so, and not that there are no children", async () => {
  const [parents, children] = nextQueues();
  const base = `${stage.prefix}:{${parents.name}}:`;
  const codes: unknown[] = [];
  const worker = parents.work(async (job) => {
    // As it is once the lease of this worker has ended, and another one was through with the job.
    await stage.valkey.del(`${base}workers`, ...(await stage.valkey.keys(`${base}family*`)));
    try {
      codes.push(await resultsOf(job));
    } catch (error) {
      codes.push((error as { code?: string }).code);
    }
  });
  const childWorker = children.work(() => undefined);
  await parents.add({ n: 0 }, { children: family(children, 2) });
  await eventually("it ran", () => codes.length > 0);
  expect(codes[0]).toBe("LEASE_LOST");
  await Promise.all([worker.stop(), childWorker.stop()]);
});

test("a child whose id is taken is refused before anything is written", async () => {
  const [parents, children] = nextQueues();
  await children.add({ n: 1 }, { id: "taken" });
  const child = { queue: children, data: { n: 1 }, options: { id: "taken" } };
  await expect(parents.add({ n: 0 }, { children: [child] })).rejects.toMatchObject({ code: "INVALID_OPTION" });
  expect(await leftOf(parents, children)).toEqual([]);
  expect(await parents.counts()).toMatchObject({ parked: 0 });
});

test("a child that died is told of by its reason, also where its handler discards it", async () => {
  const [parents, children] = nextQueues();
  const { id } = await parents.add({ n: 0 }, { onChildDead: "value", keepResult: 60_000, children: family(children, 1) });
  const worker = children.work(() => {
    throw new Discard('with "quotes" and \\ and \u{1f600}');
  });
  const parentWorker = parents.work(async (job) => (await resultsOf(job))[0]?.reason);
  expect(await parents.waitFor(id)).toBe('Discard: with "quotes" and \\ and \u{1f600}');
  await Promise.all([worker.stop(), parentWorker.stop()]);
});
