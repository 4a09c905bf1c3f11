import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Keyline, Queue, UpdateResult } from "keyline";
import { eventually, gate, openStage, type Stage } from "../../support/stage.ts";

type Texts = Queue<string, string, true>;

let stage: Stage;
let keyline: Keyline;
beforeAll(async () => {
  stage = await openStage();
  keyline = stage.keyline();
  await keyline.migrate();
});
afterAll(() => stage.close());

let names = 0;
const next = (): Texts => keyline.queue<string>(`q${names++}`, { transactional: true, backoff: () => 60_000 });

async function runOne(queue: Texts): Promise<string> {
  const ran = Promise.withResolvers<string>();
  const worker = queue.work((job) => ran.resolve(job.data));
  const data = await ran.promise;
  await worker.stop();
  return data;
}

/** A transaction that is rolled back. */
async function undone(work: (tx: Parameters<Parameters<Keyline["transaction"]>[0]>[0]) => Promise<unknown>): Promise<void> {
  const failed = keyline.transaction(async (tx) => {
    await work(tx);
    throw new Error("undone");
  });
  await expect(failed).rejects.toThrow("undone");
}

describe("an update within a transaction", () => {
  test("is there by its COMMIT, and nobody begins the job before, however long that takes", async () => {
    const queue = next();
    const { id } = await queue.add("old");
    await eventually("it waits", async () => (await queue.counts()).waiting === 1);
    const ran: string[] = [];
    let result: UpdateResult | undefined;
    const other = next();
    let worker: ReturnType<Texts["work"]> | undefined;
    await keyline.transaction(async (tx) => {
      result = await queue.update(id, { data: "new" }, { tx });
      worker = queue.work((job) => void ran.push(job.data));
      // It is taken, and put back.
      await eventually("it was taken", async () => (await queue.counts()).scheduled === 1);
      await other.add("with it", { tx });
      expect(ran).toEqual([]);
    });
    expect(result).toEqual({ updated: true, state: "waiting" });
    await eventually("it ran", () => ran.length === 1);
    expect(ran).toEqual(["new"]);
    expect(await runOne(other)).toBe("with it");
    await worker?.stop();
  });

  test("is not there after its ROLLBACK", async () => {
    const queue = next();
    const { id } = await queue.add("old", { delay: 60_000, priority: "low" });
    await eventually("it rests", async () => (await queue.counts()).scheduled === 1);
    await undone(async (tx) => {
      expect(await queue.update(id, { data: "new", delay: 0, priority: "high" }, { tx })).toMatchObject({ updated: true });
      expect(await queue.promote(id, { tx })).toBe(false);
    });
    await undone(async (tx) => expect(await queue.promote(id, { tx })).toBe(true));
    expect(await queue.job(id)).toMatchObject({ data: "old", state: "scheduled", priority: "low" });
    expect(await queue.update(id, { delay: 0 })).toMatchObject({ updated: true });
    expect(await runOne(queue)).toBe("old");
  });

  test.each(["later", "sooner", "promoted"])("moves what is to run %s when it is committed", async (how) => {
    const queue = next();
    const { id } = await queue.add("job", how === "later" ? {} : { delay: 3_600_000 });
    await eventually("it is there", async () => (await queue.counts())[how === "later" ? "waiting" : "scheduled"] === 1);
    await keyline.transaction(async (tx) => {
      if (how === "promoted") return expect(await queue.promote(id, { tx })).toBe(true);
      const result = await queue.update(id, how === "later" ? { delay: 3_600_000 } : { delay: 0, priority: "high" }, { tx });
      expect(result).toEqual({ updated: true, state: how === "later" ? "scheduled" : "waiting" });
    });
    if (how !== "later") expect(await runOne(queue)).toBe("job");
    else await eventually("it rests", async () => (await queue.counts()).scheduled === 1 && (await queue.counts()).waiting === 0);
  });

  test("of a job that the same transaction has added is what runs", async () => {
    const queue = next();
    const ran: string[] = [];
    const worker = queue.work((job) => void ran.push(job.data));
    await keyline.transaction(async (tx) => {
      const { id } = await queue.add("old", { tx });
      expect(await queue.update(id, { data: "between" }, { tx })).toMatchObject({ updated: true });
      expect(await queue.update(id, { data: "new" }, { tx })).toMatchObject({ updated: true });
    });
    await eventually("it ran", () => ran.length === 1);
    expect(ran).toEqual(["new"]);
    await keyline.transaction(async (tx) => {
      const { id } = await queue.add("delayed", { tx, delay: 3_600_000 });
      expect(await queue.promote(id, { tx })).toBe(true);
    });
    await eventually("the other one ran", () => ran.length === 2);
    await worker.stop();
  });

  test("is brought by the relay where the process died behind the COMMIT", async () => {
    const queue = next();
    const { id } = await queue.add("old", { delay: 3_600_000 });
    const noted = "SELECT FROM keyline.job WHERE id = $1 AND delivered_to IS NOT NULL";
    await eventually("its delivery is noted", async () => (await stage.pool.query(noted, [id])).rowCount === 1);
    // Nobody sees the end of a transaction on such a client: as if the process had died there.
    const client = await stage.pool.connect();
    await client.query("BEGIN");
    const tx = { query: (text: string, values: unknown[] = []) => client.query(text, values) };
    expect(await queue.update(id, { data: "new", delay: 0 }, { tx })).toMatchObject({ updated: true });
    await client.query("COMMIT");
    client.release();
    expect(await runOne(queue)).toBe("new");
  });

  test("is what runs when Valkey loses its memory before the COMMIT, and nobody begins what a rebuild brings", async () => {
    const queue = next();
    const { id } = await queue.add("old");
    const other = await queue.add("other");
    const noted = "SELECT FROM keyline.job WHERE id = ANY($1) AND delivered_to IS NOT NULL";
    await eventually("both are noted", async () => (await stage.pool.query(noted, [[id, other.id]])).rowCount === 2);
    const ran: string[] = [];
    let worker: ReturnType<Texts["work"]> | undefined;
    await keyline.transaction(async (tx) => {
      expect(await queue.update(id, { data: "new" }, { tx })).toMatchObject({ updated: true });
      await stage.valkey.del(...(await stage.valkey.keys(`${stage.prefix}:{${queue.name}}:*`)));
      worker = queue.work((job) => void ran.push(job.data));
      await eventually("what was brought with it ran", () => ran.length > 0);
      await eventually("it was put back", async () => (await queue.counts()).scheduled === 1);
      expect(ran).toEqual(["other"]);
    });
    await eventually("it ran", () => ran.length === 2);
    expect(ran).toEqual(["other", "new"]);
    await worker?.stop();
  });

  test.each(["at once", "later"])(
    "of a job that the same transaction has added, to run %s, is what runs when Valkey loses its memory before the COMMIT",
    async (when) => {
      const queue = next();
      const ran: string[] = [];
      let worker: ReturnType<Texts["work"]> | undefined;
      await keyline.transaction(async (tx) => {
        const { id } = await queue.add("old", { tx, ...(when === "later" && { delay: 50 }) });
        expect(await queue.update(id, { data: "new" }, { tx })).toMatchObject({ updated: true });
        await stage.valkey.del(...(await stage.valkey.keys(`${stage.prefix}:{${queue.name}}:*`)));
        worker = queue.work((job) => void ran.push(job.data));
      });
      await eventually("it ran", () => ran.length > 0);
      expect(ran).toEqual(["new"]);
      await worker?.stop();
    },
  );

  test("is there for as many transactions at the same time as the pool has connections", async () => {
    const small = stage.keyline({ postgres: { connectionString: stage.databaseUrl, max: 2 } });
    const queue = small.queue<string>(next().name, { transactional: true });
    const ids = (await queue.addMany(Array.from({ length: 6 }, () => ({ data: "old", delay: 60_000 })))).map(({ id }) => id);
    await eventually("they rest", async () => (await queue.counts()).scheduled === 6);
    const results = await Promise.all(ids.map((id) => small.transaction((tx) => queue.update(id, { data: "new" }, { tx }))));
    expect(results.every(({ updated }) => updated)).toBe(true);
    for (const id of ids) expect(await queue.job(id)).toMatchObject({ data: "new" });
  });

  test("that is rolled back to a savepoint has changed nothing, and another one behind it counts", async () => {
    const queue = next();
    const { id } = await queue.add("old", { delay: 60_000 });
    await eventually("it rests", async () => (await queue.counts()).scheduled === 1);
    await keyline.transaction(async (tx) => {
      await tx.query("SAVEPOINT here");
      expect(await queue.update(id, { data: "undone", delay: 0 }, { tx })).toMatchObject({ updated: true });
      await tx.query("ROLLBACK TO here");
      expect(await queue.update(id, { data: "new" }, { tx })).toMatchObject({ updated: true });
    });
    expect(await queue.job(id)).toMatchObject({ data: "new", state: "scheduled" });
    await keyline.transaction(async (tx) => {
      expect(await queue.promote(id, { tx })).toBe(true);
      expect(await queue.update(id, { data: "newest" }, { tx })).toMatchObject({ updated: true });
    });
    expect(await runOne(queue)).toBe("newest");
  });

  test("changes nothing of a job that runs, is dead, has ended or was never there, and says so", async () => {
    const queue = next();
    const [begun, goOn] = [gate(), gate()];
    const worker = queue.work(async ({ data }) => {
      begun.open();
      await goOn.opened;
      if (data === "fails") throw new Error("never");
    });
    const update = (id: string): Promise<UpdateResult> => keyline.transaction((tx) => queue.update(id, { data: "x" }, { tx }));
    const { id } = await queue.add("runs", { keepResult: 60_000 });
    await begun.opened;
    expect(await update(id)).toEqual({ updated: false, state: "running" });
    goOn.open();
    await queue.waitFor(id);
    expect(await update(id)).toEqual({ updated: false, state: "completed" });
    const dead = await queue.add("fails", { maxAttempts: 1 });
    await eventually("it is dead", async () => (await queue.counts()).dead === 1);
    expect(await update(dead.id)).toEqual({ updated: false, state: "dead" });
    expect(await update("never")).toEqual({ updated: false, state: "unknown" });
    await worker.stop();
  });

  test("is refused before anything is written where there is no transaction, or none can be", async () => {
    const queue = next();
    const { id } = await queue.add("job", { delay: 60_000 });
    const client = await stage.pool.connect();
    await expect(queue.update(id, { data: "x" }, { tx: client })).rejects.toMatchObject({ code: "NOT_IN_TRANSACTION" });
    await expect(queue.promote(id, { tx: client })).rejects.toMatchObject({ code: "NOT_IN_TRANSACTION" });
    client.release();
    const plain = keyline.queue<string>("plain");
    await keyline
      .transaction(async (tx) => {
        await expect(plain.update("a", { data: "x" }, { tx })).rejects.toMatchObject({ code: "NOT_TRANSACTIONAL" });
        await expect(plain.promote("a", { tx })).rejects.toMatchObject({ code: "NOT_TRANSACTIONAL" });
        await expect(queue.update(id, { data: "x" }, { trx: tx } as object)).rejects.toMatchObject({ code: "INVALID_OPTION" });
        await expect(queue.update(id, { data: "a\0b" }, { tx })).rejects.toMatchObject({
          code: expect.stringMatching(/NOT_STORABLE|NOT_SERIALIZABLE/),
        });
      })
      .catch(() => undefined);
    expect(await queue.job(id)).toMatchObject({ data: "job", state: "scheduled" });
  });

  test("meets workers over and over: what is told to be updated runs as it was changed, the others as they were", async () => {
    const queue = next();
    const ran = new Map<string, string>();
    const worker = queue.work((job) => void ran.set(job.id, job.data), { concurrency: 3 });
    const told = new Map<string, string>();
    for (let n = 0; n < 60; n++) {
      const { id } = await queue.add("old");
      if (n % 3 === 0) {
        await undone((tx) => queue.update(id, { data: "undone" }, { tx }));
        told.set(id, "old");
        continue;
      }
      const { updated } = await keyline.transaction((tx) => queue.update(id, { data: "new" }, { tx }));
      told.set(id, updated ? "new" : "old");
    }
    await eventually("all have run", () => ran.size === 60);
    expect(ran).toEqual(told);
    await worker.stop();
  });
});
