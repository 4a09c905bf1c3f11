import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Discard, type ChildResult, type Queue, type Transaction } from "keyline";
import { openEffectsStage, type EffectsStage, type N } from "../../support/effects-stage.ts";
import { eventually, gate } from "../../support/stage.ts";

let stage: EffectsStage;
beforeAll(async () => {
  stage = await openEffectsStage();
});
afterAll(() => stage.close());

type Numbers = Queue<N, N, true>;

const family = (queue: Numbers, count: number): { queue: Numbers; data: N }[] =>
  Array.from({ length: count }, (_, n) => ({ queue, data: { n } }));

async function familiesOf(...queues: Numbers[]): Promise<number> {
  const text =
    "SELECT (SELECT count(*) FROM keyline.family WHERE queue = ANY($1)) + (SELECT count(*) FROM keyline.family_child WHERE queue = ANY($1)) AS count";
  const { rows } = await stage.pool.query<{ count: string }>(text, [queues.map(({ name }) => name)]);
  return Number(rows[0]?.count);
}

async function parkedOf(queue: Numbers): Promise<string | null | undefined> {
  return (await stage.pool.query<{ parked: string | null }>("SELECT parked FROM keyline.job WHERE queue = $1", [queue.name])).rows[0]
    ?.parked;
}

describe("a parent", () => {
  test("runs once all its children have ended, and is given what they came to, in their order", async () => {
    const [parents, children] = [stage.nextQueue(), stage.nextQueue()];
    const ran: string[] = [];
    const results: ChildResult[] = [];
    const worker = parents.work(async (job) => {
      ran.push("parent");
      for await (const child of job.children()) results.push(child);
    });
    const { id, added } = await parents.add({ n: 0 }, { children: family(children, 3) });
    expect(added).toBe(true);
    expect(await parkedOf(parents)).toBe("children");
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
    expect(await parents.counts()).toMatchObject({ waiting: 0, scheduled: 0 });
    await eventually("its rows are gone", async () => (await familiesOf(parents, children)) === 0);
    await Promise.all([worker.stop(), childWorker.stop()]);
  });

  test("is given results that its children settled, in pages, also of many", async () => {
    const [parents, children] = [stage.nextQueue(), stage.nextQueue()];
    const values: unknown[] = [];
    const worker = parents.work(async (job) => {
      for await (const { value } of job.children()) values.push(value);
    });
    const childWorker = children.work((job, { settle }) => settle(() => Promise.resolve(job.data.n)).then(() => undefined), {
      concurrency: 50,
    });
    const { id } = await parents.add({ n: 0 }, { children: family(children, 1_200) });
    await parents.waitFor(id);
    expect(values).toEqual(Array.from({ length: 1_200 }, (_, n) => n));
    await Promise.all([worker.stop(), childWorker.stop()]);
  });

  test("may be a child itself, in the same queue too", async () => {
    const queue = stage.nextQueue();
    const ran: number[] = [];
    const worker = queue.work(async (job) => {
      let sum = job.data.n;
      for await (const { value } of job.children<number>()) sum += value ?? 0;
      ran.push(job.data.n);
      return sum;
    });
    const leaf = (n: number) => ({ queue, data: { n } });
    const { id } = await queue.add(
      { n: 1_000 },
      { keepResult: 60_000, children: [{ queue, data: { n: 100 }, options: { children: [leaf(1), leaf(2)] } }, leaf(3)] },
    );
    expect(await queue.waitFor(id)).toBe(1_106);
    expect(ran.slice(-2)).toEqual([100, 1_000]);
    await worker.stop();
  });

  test("is added with its children by the COMMIT of a transaction, or not at all", async () => {
    const [parents, children] = [stage.nextQueue(), stage.nextQueue()];
    const keyline = stage.keyline();
    const mine = keyline.queue<N>(parents.name, { transactional: true, maxAttempts: 3 });
    const below = keyline.queue<N>(children.name, { transactional: true, maxAttempts: 3 });
    const failed = keyline.transaction(async (tx) => {
      await mine.add({ n: 1 }, { tx, children: family(below, 2) });
      throw new Error("no");
    });
    await expect(failed).rejects.toThrow("no");
    expect(await familiesOf(mine, below)).toBe(0);
    const id = await keyline.transaction(async (tx) => (await mine.add({ n: 1 }, { tx, children: family(below, 2) })).id);
    const workers = [mine.work(() => undefined), below.work(() => undefined)];
    await mine.waitFor(id);
    await Promise.all(workers.map((worker) => worker.stop()));
  });

  test("with an id that is known is not added, and nothing below it is", async () => {
    const [parents, children] = [stage.nextQueue(), stage.nextQueue()];
    await parents.add({ n: 1 }, { id: "one" });
    expect(await parents.add({ n: 2 }, { id: "one", children: family(children, 2) })).toEqual({ id: "one", added: false });
    expect(await familiesOf(parents, children)).toBe(0);
    expect(await stage.rowsOf(children.name)).toEqual([]);
  });
});

describe("the death of a child", () => {
  async function withDeath(
    onChildDead: "die" | "ignore" | "value",
  ): Promise<{ error: Error | undefined; results: ChildResult[]; parents: Numbers }> {
    const [parents, children] = [stage.nextQueue(), stage.nextQueue()];
    const results: ChildResult[] = [];
    const worker = parents.work(async (job) => {
      for await (const child of job.children()) results.push(child);
    });
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
    return { error, results, parents };
  }

  test("kills the parent, which says whose death it was", async () => {
    const { error, results } = await withDeath("die");
    expect(error).toMatchObject({ code: "JOB_DEAD" });
    expect(error?.message).toMatch(/Its child \S+ of queue \S+ is dead: .*too bad/);
    expect(results).toEqual([]);
  });

  test("leaves nothing of the parent on the schedule, and those who follow events are told", async () => {
    const [parents, children] = [stage.nextQueue(), stage.nextQueue()];
    const told: unknown[] = [];
    const following = new AbortController();
    const events = parents.events({ signal: following.signal });
    const heard = (async () => {
      for await (const { type } of events) if (told.push(type) && type === "dead") following.abort();
    })();
    await eventually(
      "somebody is known to follow",
      async () => (await stage.valkey.exists(`${stage.prefix}:{${parents.name}}:tracked`)) === 1,
    );
    await parents.add({ n: 0 }, { children: family(children, 2) });
    const worker = children.work(() => {
      throw new Discard("too bad");
    });
    await heard;
    expect(told.at(-1)).toBe("dead");
    await eventually("it rests nowhere", async () => (await parents.counts()).scheduled === 0);
    expect(await parents.counts()).toMatchObject({ dead: 1 });
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
  test("takes along what has not begun below it, and leaves what runs", async () => {
    const [parents, children] = [stage.nextQueue(), stage.nextQueue()];
    const [begun, go] = [gate(), gate()];
    const ended: number[] = [];
    const worker = children.work(async (job) => {
      begun.open();
      await go.opened;
      ended.push(job.data.n);
    });
    const { id } = await parents.add({ n: 0 }, { children: family(children, 20) });
    await begun.opened;
    expect(await parents.cancel(id)).toBe("scheduled");
    await eventually(
      "the others are cancelled",
      async () => (await stage.rowsOf(children.name)).filter(({ state }) => state === "waiting").length <= 2,
    );
    await eventually("its rows are gone", async () => (await familiesOf(parents)) === 0);
    go.open();
    await eventually("what ran has ended", async () => ended.length > 0 && (await stage.rowsOf(children.name)).length === 0);
    expect(ended[0]).toBe(0);
    expect(ended.length).toBeLessThan(5);
    await worker.stop();
  });

  test("that is the last child lets its parent run", async () => {
    const [parents, children] = [stage.nextQueue(), stage.nextQueue()];
    const results: ChildResult[] = [];
    const worker = parents.work(async (job) => {
      for await (const child of job.children()) results.push(child);
    });
    const { id } = await parents.add({ n: 0 }, { children: [{ queue: children, data: { n: 1 }, options: { id: "only" } }] });
    const waited = parents.waitFor(id);
    await children.cancel("only");
    await waited;
    expect(results).toMatchObject([{ id: "only", outcome: "cancelled" }]);
    await worker.stop();
  });
});

describe("a handler", () => {
  test("adds children once in a step, and goes on when they have ended", async () => {
    const [parents, children] = [stage.nextQueue(), stage.nextQueue()];
    let runs = 0;
    const worker = parents.work(async (job, { step }) => {
      runs++;
      await step("split", (tx) => job.addChildren(family(children, 5), { tx }));
      await job.childrenEnded();
      let sum = 0;
      for await (const { value } of job.children<number>()) sum += value ?? 0;
      return sum;
    });
    const { id } = await parents.add({ n: 0 }, { keepResult: 60_000 });
    await eventually("it waits", async () => (await parkedOf(parents)) === "children");
    const childWorker = children.work((job) => job.data.n);
    expect(await parents.waitFor(id)).toBe(10);
    expect(runs).toBe(2);
    await eventually("its rows are gone", async () => (await familiesOf(parents, children)) === 0);
    await Promise.all([worker.stop(), childWorker.stop()]);
  });
});

test("children are added within the step that is under way, and within no other transaction", async () => {
  const [parents, children] = [stage.nextQueue(), stage.nextQueue()];
  const keyline = stage.keyline();
  const codes: unknown[] = [];
  const note = async (adding: Promise<void>): Promise<void> => adding.catch((error: { code?: string }) => void codes.push(error.code));
  let others: Transaction | undefined;
  const [isOpen, mayEnd] = [gate(), gate()];
  const worker = parents.work(
    async (job, { step, settle }) => {
      if (job.data.n === 1) {
        await step("holds", async (tx) => {
          others = tx;
          isOpen.open();
          await mayEnd.opened;
        });
        return;
      }
      await isOpen.opened;
      let late: Transaction | undefined;
      await step("mine", async (tx) => {
        late = tx;
        if (others) await note(job.addChildren(family(children, 1), { tx: others }));
        await keyline.transaction((other) => note(job.addChildren(family(children, 1), { tx: other })));
      });
      if (late) await note(job.addChildren(family(children, 1), { tx: late }));
      await settle((tx) => note(job.addChildren(family(children, 1), { tx })));
      mayEnd.open();
    },
    { concurrency: 2 },
  );
  await parents.addMany([1, 2].map((n) => ({ data: { n } })));
  await eventually("both have ended", async () => (await stage.rowsOf(parents.name)).length === 0);
  expect(codes).toEqual(Array.from({ length: 4 }, () => "INVALID_OPTION"));
  expect(await stage.rowsOf(children.name)).toEqual([]);
  await worker.stop();
});

test("an attempt whose job somebody else has ended is told so, and not that there are no children", async () => {
  const [parents, children] = [stage.nextQueue(), stage.nextQueue()];
  const codes: unknown[] = [];
  const worker = parents.work(async (job) => {
    await stage.pool.query("SELECT keyline.settle_job($1, $2, 0)", [parents.name, job.id]);
    try {
      for await (const child of job.children()) codes.push(child);
    } catch (error) {
      codes.push((error as { code?: string }).code);
    }
  });
  await parents.add({ n: 0 }, { children: family(children, 2) });
  const childWorker = children.work(() => undefined);
  await eventually("it ran", () => codes.length > 0);
  expect(codes).toEqual(["LEASE_LOST"]);
  await Promise.all([worker.stop(), childWorker.stop()]);
});

describe("what is no family is refused before anything is written", () => {
  test.each([
    ["a queue of another Keyline", () => ({ children: [{ queue: stage.keyline().queue<N>("plain"), data: { n: 1 } }] }), /another Keyline/],
    ["what is no queue", () => ({ children: [{ queue: { name: "x" }, data: { n: 1 } }] }), /children\[0\]\.queue is no queue/],
    ["an unknown word", (q: Numbers) => ({ onChildDead: "cry", children: family(q, 1) }), /onChildDead must be/],
    ["a parent in a group", (q: Numbers) => ({ group: "g", children: family(q, 1) }), /group does not go/],
    [
      "a job twice",
      (q: Numbers) => ({ children: [1, 2].map((n) => ({ queue: q, data: { n }, options: { id: "same" } })) }),
      /children\[1\] is job same .* children\[0\]/,
    ],
    [
      "the parent as its child",
      (q: Numbers) => ({ id: "me", children: [{ queue: q, data: { n: 1 }, options: { id: "me" } }] }),
      /is job me .* the parent/,
    ],
  ])("%s", async (_, options, message) => {
    const queue = stage.nextQueue();
    await expect(queue.add({ n: 0 }, options(queue) as never)).rejects.toThrow(message);
    expect(await stage.rowsOf(queue.name)).toEqual([]);
  });

  test("a child that has itself inside", async () => {
    const queue = stage.nextQueue();
    const children: { queue: Numbers; data: N; options?: object }[] = [{ queue, data: { n: 1 } }];
    if (children[0]) children[0].options = { children };
    await expect(queue.add({ n: 0 }, { children })).rejects.toThrow(/has itself inside/);
  });

  test("a child of another kind", async () => {
    const keyline = stage.keyline();
    const [plain, queue] = [keyline.queue<N>("plain-children"), keyline.queue<N>("parents-of-plain", { transactional: true })];
    await expect(queue.add({ n: 0 }, { children: [{ queue: plain, data: { n: 1 } }] })).rejects.toThrow(
      /children\[0\]\.queue is plain-children, which is not transactional/,
    );
    await expect(plain.add({ n: 0 }, { children: [{ queue, data: { n: 1 } }] })).rejects.toThrow(
      /children\[0\]\.queue is parents-of-plain, which is transactional, and its parent is not/,
    );
    expect(await stage.rowsOf(queue.name)).toEqual([]);
  });

  test("a child of a Keyline that was closed, which is named", async () => {
    const queue = stage.nextQueue();
    const closed = stage.keyline();
    const gone = closed.queue<N>("closed", { transactional: true });
    await closed.close();
    const refusal = {
      code: "CLOSED",
      message: expect.stringMatching(/children\[1\]\.queue is closed of a Keyline that was closed/) as string,
    };
    const children = [
      { queue, data: { n: 1 } },
      { queue: gone, data: { n: 2 } },
    ];
    await expect(queue.add({ n: 0 }, { children })).rejects.toMatchObject(refusal);
    expect(await stage.rowsOf(queue.name)).toEqual([]);
    const refused = Promise.withResolvers<unknown>();
    const worker = queue.work(async (job, { step }) => {
      await step("split", (tx) => job.addChildren(children, { tx })).catch(refused.resolve);
    });
    await queue.add({ n: 0 });
    expect(await refused.promise).toMatchObject(refusal);
    await eventually("the handler ended, and nothing is below it", async () => (await stage.rowsOf(queue.name)).length === 0);
    await worker.stop();
  });

  test("a child whose id is taken", async () => {
    const queue = stage.nextQueue();
    await queue.add({ n: 1 }, { id: "taken" });
    await expect(queue.add({ n: 0 }, { children: [{ queue, data: { n: 1 }, options: { id: "taken" } }] })).rejects.toMatchObject({
      code: "INVALID_OPTION",
    });
    expect((await stage.rowsOf(queue.name)).length).toBe(1);
  });
});
