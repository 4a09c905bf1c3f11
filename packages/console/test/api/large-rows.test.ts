import { afterAll, beforeAll, expect, test } from "vitest";
import { eventually, openQuietStage, type Stage } from "../../../keyline/test/support/stage.ts";
import { jobsPage, jobView } from "../../src/api/job.ts";
import { causesView, lettersPage } from "../../src/api/letter.ts";
import { queueView } from "../../src/api/queue.ts";
import { alwaysSlow } from "../support/asked.ts";
import { openConsole } from "../support/console-server.ts";
import { valid } from "../support/valid.ts";

const waiting = 1_000_000;
const dead = 20_000;
const scheduled = 20_000;

/** As Keyline makes them. */
const push = `
  for first = ARGV[1], ARGV[2], 100 do
    local elements = {}
    for n = first, first + 99 do
      elements[#elements + 1] = string.format('{"id":"waiting-%d","at":%.0f,"data":{"n":%d}}', n, 1700000000000 + n, n)
    end
    redis.call('LPUSH', KEYS[1], unpack(elements))
  end`;
const schedule = `
  for n = 1, ARGV[1] do
    redis.call('ZADD', KEYS[1], 4e12 + n, string.format('{"id":"scheduled-%d","at":%.0f,"data":{"n":%d}}', n, 1700000000000 + n, n))
  end`;

let stage: Stage;
beforeAll(async () => {
  stage = await openQuietStage();
  const keyline = stage.keyline();
  await keyline.migrate();
  // It brings the epoch: rows that say it count as delivered.
  await keyline.queue("kept", { transactional: true }).add({}, { id: "first" });
  await eventually("it was noted", async () => {
    return (await stage.pool.query("SELECT FROM keyline.job WHERE delivered_to IS NOT NULL")).rowCount === 1;
  });
  const insert = (state: string, count: number): Promise<unknown> =>
    stage.pool.query(
      `INSERT INTO keyline.job (queue, id, data, state, delivered_to, added_at, due_at, died_at, last_error)
        SELECT name, $1 || '-' || n, json_build_object('n', n), $1, epoch, to_timestamp(1700000000 + n / 1000.0),
          CASE $1 WHEN 'scheduled' THEN to_timestamp(4e9 + n / 1000.0) END,
          CASE $1 WHEN 'dead' THEN now() - n * interval '1 second' END,
          CASE $1 WHEN 'dead' THEN 'Error: number ' || n || ' is too large' END
        FROM keyline.queue, generate_series(1, $2::integer) AS n WHERE name = 'kept'`,
      [state, count],
    );
  await Promise.all([insert("waiting", waiting), insert("scheduled", scheduled), insert("dead", dead)]);
  // As autovacuum does some minutes later.
  await stage.pool.query("VACUUM ANALYZE keyline.job");
  const base = `${stage.prefix}:{kept}:`;
  for (let first = 1; first < waiting; first += 5_000) await stage.valkey.eval(push, 1, `${base}waiting`, first, first + 4_999);
  await stage.valkey.eval(schedule, 1, `${base}scheduled`, scheduled);
  await keyline.close();
}, 120_000);
afterAll(() => stage.close());

/** How many rows and entries of indexes all sessions have read that have ended. */
async function readRows(): Promise<number> {
  await eventually("sessions have ended", async () => {
    const { rows } = await stage.pool.query(
      "SELECT FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'keyline'",
    );
    return rows.length === 0;
  });
  const { rows } = await stage.pool.query<{ read: number }>(
    `SELECT ((SELECT sum(seq_tup_read) FROM pg_stat_user_tables WHERE schemaname = 'keyline')
      + (SELECT sum(idx_tup_read) FROM pg_stat_user_indexes WHERE schemaname = 'keyline'))::float8 AS read`,
  );
  return rows[0]?.read ?? Number.NaN;
}

test("every page of a transactional queue of a million jobs reads few rows, and keeps Valkey for less than a millisecond", async () => {
  const costs: Record<string, number> = {};
  const look = async (page: string, read: (console: Awaited<ReturnType<typeof openConsole>>) => Promise<unknown>): Promise<void> => {
    const before = await readRows();
    const keyline = stage.keyline();
    const console = await openConsole({ keyline });
    await read(console);
    await console.close();
    await keyline.close();
    costs[page] = (await readRows()) - before;
  };
  const jobs = async (page: string, path: string): Promise<void> => {
    await look(page, async (console) => {
      expect(valid(jobsPage, await console.get(`api/queues/kept/jobs?limit=50${path}`)).jobs, page).toHaveLength(50);
    });
  };
  await look("queue", async (console) => {
    expect(valid(queueView, await console.get("api/queues/kept")).counts).toMatchObject({ waiting: waiting + 1, scheduled, dead });
  });
  await look("overview", (console) => console.get("api/overview"));
  await jobs("jobs", "");
  for (const state of ["waiting", "scheduled", "dead"]) await jobs(state, `&state=${state}`);
  await look("job", async (console) => {
    expect(valid(jobView, await console.get("api/queues/kept/jobs/waiting-500000")).state).toBe("waiting");
  });
  await look("letters", async (console) => {
    expect(valid(lettersPage, await console.get("api/queues/kept/letters?limit=50")).letters).toHaveLength(50);
  });
  await look("causes", async (console) => {
    expect(valid(causesView, await console.get("api/queues/kept/causes"))).toMatchObject({ looked: 10_000, total: dead });
  });
  // Up to 10,000 rows at a step that fit or do not, and each dead one counted once.
  for (const [page, cost] of Object.entries(costs)) expect(cost, page).toBeLessThan(waiting / 15);
  const console = await openConsole({ keyline: stage.keyline() });
  for (const path of ["", "/jobs", "/jobs?state=scheduled", "/jobs?state=dead", "/letters", "/causes", "/jobs/waiting-500000"]) {
    expect(await alwaysSlow(stage, () => console.get(`api/queues/kept${path}`)), path).toEqual([]);
  }
  await console.close();
});
