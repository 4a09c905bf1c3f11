import pg from "pg";
import { afterAll, beforeAll, expect, test } from "vitest";
import { eventually, openStage, type Stage } from "../../support/stage.ts";

let stage: Stage;
beforeAll(async () => {
  stage = await openStage();
  const keyline = stage.keyline();
  await keyline.migrate();
  await keyline.close();
});
afterAll(() => stage.close());

const million = 1_000_000;
const jobs = 500;

/** With a connection of its own, whose own reads are counted when it has ended. */
async function connected<Result>(work: (client: pg.Client) => Promise<Result>): Promise<Result> {
  const client = new pg.Client({ connectionString: stage.databaseUrl });
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}

/** How many rows and entries of indexes were read of the table so far. A connection has told all of its own when it has ended. */
async function reads(): Promise<number> {
  const others = `SELECT FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'`;
  return connected(async (client) => {
    await eventually("all of the others have ended", async () => (await client.query(others)).rows.length === 0);
    const { rows } = await client.query<{ reads: number }>(
      `SELECT ((SELECT coalesce(seq_tup_read, 0) FROM pg_stat_user_tables WHERE schemaname = 'keyline' AND relname = 'job')
        + (SELECT sum(idx_tup_read) FROM pg_stat_user_indexes WHERE schemaname = 'keyline' AND relname = 'job'))::float8 AS reads`,
    );
    return rows[0]?.reads ?? Number.NaN;
  });
}

/** What is read for so many adds, delayed adds and takes: on whatever machine it is the same. */
async function readsOfWork(queue: string): Promise<number> {
  const before = await reads();
  const keyline = stage.keyline();
  const own = keyline.queue<number>(queue, { transactional: true });
  let ran = 0;
  await own.addMany(Array.from({ length: jobs }, (_, data) => ({ data })));
  await own.addMany(Array.from({ length: jobs }, (_, data) => ({ data, delay: 3_600_000 })));
  for (let data = 0; data < 50; data++) await keyline.transaction((tx) => own.add(data, { tx, ...(data % 2 === 0 && { delay: 100 }) }));
  const worker = own.work(() => void ran++, { concurrency: 20 });
  await eventually("all have run", () => ran === jobs + 50, 60_000);
  await worker.stop();
  await keyline.close();
  return (await reads()) - before;
}

test("a million delayed rows have no more read for adding, adding with a delay, and taking", async () => {
  const few = await readsOfWork("rows");
  await connected(async (client) => {
    const { rows } = await client.query<{ epoch: string }>("SELECT epoch FROM keyline.queue WHERE name = 'rows'");
    const epoch = rows[0]?.epoch ?? "";
    expect(epoch).not.toBe("");
    const fill = `INSERT INTO keyline.job (queue, id, state, due_at, delivered_to, data)
      SELECT 'rows', 'filled-' || n, 'scheduled', now() + interval '1 day' + n * interval '1 millisecond', $1, '{"text":"filled"}'
      FROM generate_series(1, ${million}) AS n`;
    await client.query(fill, [epoch]);
    await client.query("ANALYZE keyline.job");
  });
  const many = await readsOfWork("rows");
  expect(few).toBeGreaterThan(jobs);
  expect(many).toBeLessThan(2 * few + 5_000);
}, 240_000);
