import pg from "pg";
import { afterAll, beforeAll, expect, test } from "vitest";
import { eventually, openStage, type Stage } from "../support/stage.ts";

type N = { readonly n: number };

let stage: Stage;
beforeAll(async () => {
  stage = await openStage();
  await stage.keyline().migrate();
  await stage.pool.query("CREATE TABLE effects (n integer)");
});
afterAll(() => stage.close());

/** How many pages the statement looks at. */
async function pagesOf(client: pg.Client, statement: string): Promise<number> {
  const { rows } = await client.query<{ "QUERY PLAN": [{ Plan: Record<string, number> }] }>(
    `EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) ${statement}`,
  );
  const plan = rows[0]?.["QUERY PLAN"][0].Plan ?? {};
  return (plan["Shared Hit Blocks"] ?? 0) + (plan["Shared Read Blocks"] ?? 0);
}

// Rows that a snapshot somewhere may still see stay in table and indexes: whoever looks for the first job there passes over all of them.
test("with 50,000 dead rows that a snapshot elsewhere keeps, to settle and to note cost a few pages, and jobs go on", async () => {
  const client = new pg.Client(stage.databaseUrl);
  const elsewhere = new pg.Client(stage.databaseUrl);
  await Promise.all([client.connect(), elsewhere.connect()]);
  await elsewhere.query("BEGIN ISOLATION LEVEL REPEATABLE READ");
  await elsewhere.query("SELECT count(*) FROM keyline.job");
  for (let round = 0; round < 50; round++) {
    await client.query(
      `INSERT INTO keyline.job (queue, id, data) SELECT 'long', 'dead-${round}-' || n, '{}' FROM generate_series(1, 1000) AS n`,
    );
    await client.query("DELETE FROM keyline.job");
  }
  await client.query("VACUUM keyline.job");
  const { rows } = await client.query<{ dead: string }>("SELECT n_dead_tup AS dead FROM pg_stat_user_tables WHERE relname = 'job'");
  expect(Number(rows[0]?.dead), "dead rows that the vacuum had to leave").toBeGreaterThan(40_000);
  await client.query("INSERT INTO keyline.job (queue, id, data) SELECT 'long', 'live-' || n, '{}' FROM generate_series(1, 20) AS n");
  // The first call of a function reads the catalogue too.
  await client.query(
    "SELECT keyline.mark_delivered('long', 'an epoch', 'none', false), keyline.settle_job('long', 'none', 0), keyline.settle_jobs('long', 'none', NULL)",
  );
  expect(await pagesOf(client, "SELECT keyline.mark_delivered('long', 'an epoch', 'live-1', false)")).toBeLessThan(50);
  expect(await pagesOf(client, "SELECT keyline.settle_job('long', 'live-2', 0)")).toBeLessThan(50);
  expect(await pagesOf(client, `SELECT keyline.settle_jobs('long', 'live-3' || E'\\x1f' || 'live-4', NULL)`)).toBeLessThan(50);
  await client.query("DELETE FROM keyline.job");

  const queue = stage.keyline().queue<N>("long", { transactional: true });
  const worker = queue.work(
    async (job, { settle }) => {
      await settle(async (tx) => void (await tx.query("INSERT INTO effects VALUES ($1)", [job.data.n])));
    },
    { concurrency: 10 },
  );
  await queue.addMany(Array.from({ length: 500 }, (_, n) => ({ data: { n } })));
  const effects = async (): Promise<number[]> => (await stage.pool.query<N>("SELECT n FROM effects ORDER BY n")).rows.map(({ n }) => n);
  await eventually("every job has its effect", async () => (await effects()).length >= 500, 60_000);
  expect(await effects()).toEqual(Array.from({ length: 500 }, (_, n) => n));
  await worker.stop();
  await elsewhere.query("COMMIT");
  await Promise.all([client.end(), elsewhere.end()]);
}, 120_000);
