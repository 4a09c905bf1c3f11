import { afterAll, beforeAll, expect, test } from "vitest";
import { Discard, KeylineError } from "keyline";
import { openEffectsStage, type EffectsStage } from "../../support/effects-stage.ts";
import { eventually, gate } from "../../support/stage.ts";

let stage: EffectsStage;
beforeAll(async () => {
  stage = await openEffectsStage();
});
afterAll(() => stage.close());

test("commits the effects and the end of the job together", async () => {
  const queue = stage.nextQueue();
  const completed = gate();
  const worker = queue.work(async (job, { settle }) => {
    const isOurs = await settle(async (tx) => {
      await stage.write(tx, queue.name, job.data.n);
      expect(await stage.rowsOf(queue.name)).toHaveLength(1);
    });
    expect(isOurs).toBe(true);
  });
  worker.on("completed", () => completed.open());
  await queue.add({ n: 7 });
  await completed.opened;
  expect(await stage.rowsOf(queue.name)).toEqual([]);
  expect(await stage.effectsOf(queue.name)).toEqual([7]);
  await worker.stop();
});

test("a handler that returns without it completes its job", async () => {
  const queue = stage.nextQueue();
  let completed = 0;
  const worker = queue.work(() => undefined, { concurrency: 20 });
  worker.on("completed", () => completed++);
  await queue.addMany(Array.from({ length: 100 }, (_, n) => ({ data: { n } })));
  await eventually("all are completed", () => completed === 100);
  expect(await stage.rowsOf(queue.name)).toEqual([]);
  await worker.stop();
});

test("effects that throw are rolled back, and the job is tried again, also when the handler catches the error", async () => {
  const queue = stage.nextQueue();
  const done = gate();
  const worker = queue.work(async (job, { settle }) => {
    await settle(async (tx) => {
      await stage.write(tx, queue.name, job.attempt);
      if (job.attempt < 3) throw new Error("constraint");
    }).catch(() => undefined);
  });
  worker.on("completed", () => done.open());
  await queue.add({ n: 0 });
  await done.opened;
  expect(await stage.effectsOf(queue.name)).toEqual([3]);
  await worker.stop();
});

test("a statement that fails and is caught does not pass for a commit", async () => {
  const queue = stage.nextQueue();
  const dead = Promise.withResolvers<Error>();
  const worker = queue.work((_, { settle }) =>
    settle(async (tx) => {
      await stage.write(tx, queue.name, 1);
      await tx.query("SELECT 1/0").catch(() => undefined);
    }),
  );
  worker.on("dead", (_, error) => dead.resolve(error));
  await queue.add({ n: 1 });
  expect((await dead.promise).message).toContain("rolled all of it back");
  expect(await stage.effectsOf(queue.name)).toEqual([]);
  await worker.stop();
});

test("a job that was settled before has its effects left out, and the settle says so", async () => {
  const queue = stage.nextQueue();
  const answers: boolean[] = [];
  const errors: Error[] = [];
  const worker = queue.work(
    async (job, { settle }) => {
      answers.push(await settle(async (tx) => void (await stage.write(tx, queue.name, job.data.n))));
    },
    { concurrency: 2 },
  );
  worker.on("error", (error) => errors.push(error));
  const raw = JSON.stringify({ id: "twice", data: { n: 1 } });
  await stage.pool.query("INSERT INTO keyline.job (queue, id, data, delivered_to) VALUES ($1, 'twice', '{\"n\":1}', 'x')", [queue.name]);
  await stage.valkey.lpush(`${stage.prefix}:{${queue.name}}:waiting`, raw, raw, raw);
  await eventually("all three ran", () => answers.length === 3);
  expect(answers.filter((isOurs) => isOurs)).toHaveLength(1);
  expect(await stage.effectsOf(queue.name)).toEqual([1]);
  await eventually("the others said so", () => errors.length === 2);
  expect(errors).toEqual([expect.objectContaining({ code: "LEASE_LOST" }), expect.objectContaining({ code: "LEASE_LOST" })]);
  await worker.stop();
  expect(await queue.counts()).toMatchObject({ waiting: 0, running: 0, scheduled: 0, dead: 0 });
});

test("calling settle twice is an error", async () => {
  const queue = stage.nextQueue();
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
  const queue = stage.nextQueue();
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
  await eventually("all are settled", async () => (await stage.rowsOf(queue.name)).length === 0, 60_000);
  const { rows } = await stage.pool.query("SELECT value FROM counters");
  expect(rows).toEqual([{ value: 20 }, { value: 20 }]);
  expect(attempts.every((attempt) => attempt === 1)).toBe(true);
  await worker.stop();
}, 90_000);

test("effects may begin with adding a job", async () => {
  const queue = stage.nextQueue();
  const worker = queue.work(
    async (job, { settle }) => {
      await settle(async (tx) => {
        if (job.data.n < 50) await queue.add({ n: job.data.n + 50 }, { tx });
        await stage.write(tx, queue.name, job.data.n);
      });
    },
    { concurrency: 10 },
  );
  await queue.addMany(Array.from({ length: 50 }, (_, n) => ({ data: { n } })));
  await eventually("all are settled", async () => (await stage.effectsOf(queue.name)).length === 100);
  expect(await stage.effectsOf(queue.name)).toEqual(Array.from({ length: 100 }, (_, n) => n));
  expect(await stage.rowsOf(queue.name)).toEqual([]);
  await worker.stop();
});

test("an error of the effects that looks like an outage is the effects' own: the attempt has failed", async () => {
  const queue = stage.nextQueue();
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

test("an attempt that was overtaken while it ran says that it is lost, however it ends", async () => {
  for (const end of ["returns", "throws", "dies", "discards itself"]) {
    const queue = stage.nextQueue();
    const events: string[] = [];
    const worker = queue.work(async () => {
      // As the rescuer does when it gives the job to somebody else.
      await stage.pool.query("UPDATE keyline.job SET attempts = 1 WHERE queue = $1", [queue.name]);
      if (end === "discards itself") throw new Discard("too late");
      if (end !== "returns") throw new Error("too late");
    });
    worker.on("completed", () => events.push("completed"));
    worker.on("retried", () => events.push("retried"));
    worker.on("dead", () => events.push("dead"));
    worker.on("error", (error) => events.push(error instanceof KeylineError ? error.code : error.message));
    await queue.add({ n: 1 }, end === "dies" ? { maxAttempts: 1 } : {});
    await eventually("the attempt has ended", () => events.length > 0);
    await worker.stop();
    expect(events).toEqual(["LEASE_LOST"]);
    expect(await stage.rowsOf(queue.name)).toMatchObject([{ state: "waiting", attempts: 1, last_error: null }]);
  }
});
