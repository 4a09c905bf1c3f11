import pg from "pg";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { eventually, openStage, type Stage } from "../../support/stage.ts";

let stage: Stage;
beforeAll(async () => {
  stage = await openStage();
  await stage.keyline().migrate();
  await stage.pool.query("CREATE TABLE effects (queue text, n integer)");
});
afterEach(() => setDefault("RESET ALL"));
afterAll(() => stage.close());

const policy = { transactional: true, maxAttempts: 2, backoff: { type: "fixed", delay: 10 } } as const;

/** For sessions to come. */
async function setDefault(what: string): Promise<void> {
  const client = new pg.Client({ connectionString: stage.databaseUrl, options: "-c default_transaction_read_only=off" });
  await client.connect();
  const { rows } = await client.query<{ name: string }>("SELECT current_database() AS name");
  await client.query(`ALTER DATABASE ${rows[0]?.name} ${what}`);
  await client.end();
}

const told = (text: string): number => stage.log.filter(({ level, message }) => level !== "debug" && message.includes(text)).length;

test("effects that sit idle for longer than the server allows are a failed attempt with the server's reason", async () => {
  await setDefault("SET idle_in_transaction_session_timeout = '200ms'");
  const keyline = stage.keyline();
  const queue = keyline.queue<number>("idle", policy);
  const away = told("PostgreSQL is away");
  let calls = 0;
  const dead: Error[] = [];
  const worker = queue.work((_job, { settle }) =>
    settle(async (tx) => {
      calls++;
      await new Promise((resolve) => setTimeout(resolve, 600));
      await tx.query("INSERT INTO effects VALUES ('idle', 1)");
    }),
  );
  worker.on("dead", (_, error) => dead.push(error));
  await queue.add(1);
  await eventually("it is dead", () => dead.length === 1);
  expect(calls).toBe(2);
  expect(dead[0]?.message).toContain("idle-in-transaction timeout");
  expect(told("PostgreSQL is away")).toBe(away);
  expect((await stage.pool.query("SELECT FROM effects WHERE queue = 'idle'")).rows).toEqual([]);
  await keyline.close();
});

test("a transaction whose session the server ended before its COMMIT was not committed, and says why", async () => {
  await setDefault("SET idle_in_transaction_session_timeout = '200ms'");
  const keyline = stage.keyline();
  const queue = keyline.queue<number>("late", policy);
  const late = keyline.transaction(async (tx) => {
    await queue.add(1, { tx });
    await new Promise((resolve) => setTimeout(resolve, 600));
  });
  await expect(late).rejects.toThrow("idle-in-transaction timeout");
  expect((await stage.pool.query("SELECT FROM keyline.job WHERE queue = 'late'")).rows).toEqual([]);
  await keyline.close();
});

test("what breaks off again and again although the server answers is a failed attempt", async () => {
  const keyline = stage.keyline();
  const queue = keyline.queue<number>("breaking", policy);
  let calls = 0;
  const dead: Error[] = [];
  const worker = queue.work((_job, { settle }) =>
    settle(async (tx) => {
      calls++;
      await tx.query("SELECT pg_terminate_backend(pg_backend_pid())");
    }),
  );
  worker.on("dead", (_, error) => dead.push(error));
  await queue.add(1);
  await eventually("it is dead", () => dead.length === 1, 40_000);
  expect(calls).toBeLessThanOrEqual(10);
  expect(dead[0]?.message).toContain("terminating connection due to administrator command");
  await keyline.close();
});

test("a server that takes no writes is told as one, and waited for without calling effects", async () => {
  const keyline = stage.keyline();
  await keyline.queue<number>("read-only", policy).add(1);
  await keyline.close();
  await setDefault("SET default_transaction_read_only = on");

  const later = stage.keyline();
  const queue = later.queue<number>("read-only", policy);
  await expect(queue.add(2)).rejects.toMatchObject({ code: "POSTGRES_READ_ONLY" });
  await expect(later.stream("read-only", { transactional: true }).append(1)).rejects.toMatchObject({ code: "POSTGRES_READ_ONLY" });
  await expect(later.transaction((tx) => queue.add(2, { tx }))).rejects.toMatchObject({ code: "POSTGRES_READ_ONLY" });
  let calls = 0;
  const settled: number[] = [];
  const worker = queue.work(async (job, { settle }) => {
    await settle(async (tx) => {
      calls++;
      await tx.query("INSERT INTO effects VALUES ('read-only', $1)", [job.data]);
    });
    settled.push(job.attempt);
  });
  await eventually("it was told", () => told("PostgreSQL is read-only") > 0);
  const before = calls;
  const probed = (): number => stage.log.filter(({ message }) => message === "PostgreSQL takes no writes yet").length;
  await eventually("it was asked some times", () => probed() > 3);
  expect(calls).toBe(before);
  await setDefault("RESET default_transaction_read_only");
  await eventually("it is settled", () => settled.length === 1);
  expect(settled).toEqual([1]);
  expect((await stage.pool.query("SELECT n FROM effects WHERE queue = 'read-only'")).rows).toEqual([{ n: 1 }]);
  expect(told("PostgreSQL is read-only")).toBe(1);
  await worker.stop();
  await later.close();
});

test("a password that is wrong by now is no answer lost: nothing was sent, and workers spend no attempt on it", async () => {
  const role = `r_${process.pid}_${Date.now().toString(36)}`;
  await stage.pool.query(`CREATE ROLE ${role} LOGIN PASSWORD 'one' SUPERUSER`);
  const url = new URL(stage.databaseUrl);
  url.username = role;
  url.password = "one";
  const keyline = stage.keyline({ postgres: { connectionString: url.href, idleTimeoutMillis: 50 } });
  const queue = keyline.queue<number>("password", policy);
  await queue.add(1);
  await stage.pool.query(`ALTER ROLE ${role} PASSWORD 'two'`);
  await stage.pool.query("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = $1", [role]);
  await eventually("it is refused", async () => {
    const error = await queue.add(2).then(
      () => undefined,
      (reason: unknown) => reason as Error,
    );
    return error?.message.includes("nothing was sent") === true && error.message.includes("password authentication failed");
  });
  const attempts: number[] = [];
  const worker = queue.work((job, { settle }) => settle(async () => void attempts.push(job.attempt)));
  await stage.pool.query(`ALTER ROLE ${role} PASSWORD 'one'`);
  await eventually("it is settled", () => attempts.length > 0);
  expect(attempts[0]).toBe(1);
  await worker.stop();
  await keyline.close();
});

test("a pool of the caller's without a listener for errors survives the end of its idle connections", async () => {
  const pool = new pg.Pool({ connectionString: stage.databaseUrl, application_name: "unheard" });
  const keyline = stage.keyline({ postgres: pool });
  const queue = keyline.queue<number>("unheard", policy);
  await queue.add(1);
  expect(pool.listenerCount("error")).toBe(1);
  let gone = 0;
  pool.on("remove", () => gone++);
  const { rows } = await stage.pool.query("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'unheard'");
  expect(rows.length).toBeGreaterThan(0);
  await eventually("their end is known", () => gone >= rows.length);
  await eventually("it goes on", () =>
    queue.add(2).then(
      () => true,
      () => false,
    ),
  );
  await keyline.close();
  expect(pool.listenerCount("error")).toBe(0);
  expect(pool.listenerCount("acquire")).toBe(0);
  await pool.end();
});
