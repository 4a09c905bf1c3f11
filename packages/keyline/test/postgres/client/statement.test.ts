import pg from "pg";
import { afterAll, beforeAll, expect, test } from "vitest";
import { eventually, gate, openStage, type Stage } from "../../support/stage.ts";

let stage: Stage;
beforeAll(async () => {
  stage = await openStage();
  await stage.keyline().migrate();
  await stage.pool.query("CREATE TABLE effects (n integer)");
});
afterAll(() => stage.close());

/** What each of the pool's idle connections has prepared is gone, as after a pooler gave it another session. */
async function discardAll(pool: pg.Pool): Promise<void> {
  const clients = await Promise.all(Array.from({ length: pool.idleCount }, () => pool.connect()));
  await Promise.all(clients.map((client) => client.query("DISCARD ALL")));
  for (const client of clients) client.release();
}

test("statements that the sessions have forgotten are sent again: adds, settles, appends and looks", async () => {
  const pool = new pg.Pool({ connectionString: stage.databaseUrl, max: 4 });
  const keyline = stage.keyline({ postgres: pool });
  const queue = keyline.queue<number>("forgotten", { transactional: true });
  const stream = keyline.stream<number>("forgotten", { transactional: true });
  const attempts: number[] = [];
  const worker = queue.work(
    async (job, { settle }) => {
      await settle((tx) => tx.query("INSERT INTO effects VALUES ($1)", [job.data]).then(() => undefined));
      attempts.push(job.attempt);
    },
    { concurrency: 10 },
  );
  const errors: Error[] = [];
  worker.on("error", (error) => errors.push(error));
  const round = async (first: number): Promise<void> => {
    await Promise.all(Array.from({ length: 20 }, (_, index) => queue.add(first + index)));
    await Promise.all(Array.from({ length: 5 }, (_, index) => stream.append(first + index)));
    await eventually("they are settled", () => attempts.length === first + 20);
    await queue.counts();
  };
  await round(0);
  await discardAll(pool);
  await round(20);
  await discardAll(pool);
  await round(40);
  expect(attempts).toEqual(Array.from({ length: 60 }, () => 1));
  expect(errors).toEqual([]);
  const { rows } = await stage.pool.query<{ n: number }>("SELECT n FROM effects ORDER BY n");
  expect(rows.map(({ n }) => n)).toEqual(Array.from({ length: 60 }, (_, n) => n));
  expect(stage.log.filter(({ level }) => level === "warn" || level === "error")).toEqual([]);
  await keyline.close();
  await pool.end();
});

test("a settle whose claim was forgotten is made again, without an attempt", async () => {
  const pool = new pg.Pool({ connectionString: stage.databaseUrl, max: 5 });
  const keyline = stage.keyline({ postgres: pool });
  const queue = keyline.queue<number>("claims", { transactional: true });
  const held = [gate(), gate()];
  const attempts: number[] = [];
  queue.work(async (job, { settle }) => {
    await held[job.data]?.opened;
    await settle(async () => undefined);
    attempts.push(job.attempt);
  });
  for (const [n, { open }] of held.entries()) {
    await queue.add(n);
    await discardAll(pool);
    open();
    await eventually("it is settled", () => attempts.length === n + 1);
  }
  expect(attempts).toEqual([1, 1]);
  await keyline.close();
  await pool.end();
});
