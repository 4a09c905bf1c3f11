import { readFileSync } from "node:fs";
import { afterAll, beforeAll, expect, test } from "vitest";
import { Database } from "../../../src/postgres/client/database.ts";
import { DeadTable } from "../../../src/postgres/job/dead-table.ts";
import { toPolicy } from "../../../src/queue/options.ts";
import { silentLogger as logger } from "../../../src/runtime/logger.ts";
import { ValkeyConnection } from "../../../src/valkey/client/connection.ts";
import { toTarget } from "../../../src/valkey/client/options.ts";
import { QueueKeys } from "../../../src/valkey/queue/keys.ts";
import { Letters } from "../../../src/valkey/queue/letters.ts";
import { openStage, type Stage } from "../../support/stage.ts";

const dayMs = 86_400_000;
const hourMs = 3_600_000;
const page = 200;

let stage: Stage;
let connection: ValkeyConnection;
let database: Database;
beforeAll(async () => {
  stage = await openStage();
  await stage.keyline().migrate();
  connection = new ValkeyConnection(toTarget(stage.valkeyUrl), { logger, silenceMs: 20_000 });
  database = new Database(stage.databaseUrl, logger);
});
afterAll(async () => {
  connection.close();
  await database.close();
  await stage.close();
});

/** What a queue keeps that says nothing of it. */
const kept = toPolicy({}).deadLetters;

async function dropAll(drop: () => Promise<number>): Promise<void> {
  while ((await drop()) > 0);
}

test("the guides say what is kept where nothing is said", () => {
  const guide = (name: string): string => readFileSync(new URL(`../../../../../docs/guides/${name}`, import.meta.url), "utf8");
  expect(kept).toEqual({ maxLength: 100_000, maxAgeMs: 30 * dayMs });
  expect(guide("queue-failures.md")).toContain("**Kept** are 100,000 for 30 days (`deadLetters: { maxLength, maxAge }`");
  expect(guide("operate.md")).toContain("By default they are kept for 30 days, and the newest 100,000.");
});

// Of both sides of the thirty days, in milliseconds.
const ages = [30 * dayMs + hourMs, 30 * dayMs - hourMs];

test("on a plain queue those of thirty days are dropped and counted, and of younger ones the oldest beyond 100,000", async () => {
  const queue = stage.keyline().queue("defaults");
  const keys = new QueueKeys(stage.prefix, queue.name);
  const letters = new Letters(connection, keys);
  const add = `local time = redis.call('TIME')
    local now = time[1] * 1000000 + time[2]
    for n = 1, tonumber(ARGV[1]) do
      local place = string.format('%.0f', now - tonumber(ARGV[2]) * 1000 - n)
      local key = 'job-' .. place .. '\\31' .. place
      redis.call('HSET', KEYS[1] .. ':job', key, '')
      redis.call('ZADD', KEYS[1] .. ':ids', 0, key)
      redis.call('ZADD', KEYS[1], place, key)
    end`;
  for (const age of ages) await stage.valkey.eval(add, 1, keys.dead, 2, age);
  await dropAll(() => letters.drop(kept, page));
  expect(await queue.counts()).toMatchObject({ dead: 2, dropped: 2 });
  for (let added = 0; added < 100_001; added += 3_031) await stage.valkey.eval(add, 1, keys.dead, Math.min(3_031, 100_001 - added), added);
  await dropAll(() => letters.drop(kept, page));
  expect(await queue.counts()).toMatchObject({ dead: 100_000, dropped: 5 });
  const [, oldest = "0"] = await stage.valkey.zrange(keys.dead, 0, 0, "WITHSCORES");
  expect(Date.now() - Number(oldest) / 1_000).toBeLessThan(dayMs);
  await stage.valkey.del(keys.dead, `${keys.dead}:job`, `${keys.dead}:ids`);
});

test("and so it is on a transactional queue", async () => {
  const queue = stage.keyline().queue("default-rows", { transactional: true });
  const table = new DeadTable(database, queue.name);
  const add = (count: number, ageMs: number): Promise<unknown> =>
    stage.pool.query(
      `INSERT INTO keyline.job (queue, id, data, state, died_at, last_error)
        SELECT $1, 'job-' || $3::float8 || '-' || n, '1', 'dead', now() - $3::float8 * interval '1 millisecond' - n * interval '1 microsecond', 'no' FROM generate_series(1, $2) AS n`,
      [queue.name, count, ageMs],
    );
  for (const age of ages) await add(2, age);
  await dropAll(() => table.drop(kept, page));
  expect(await queue.counts()).toMatchObject({ dead: 2, dropped: 2 });
  await add(100_001, 0);
  await dropAll(() => table.drop(kept, page));
  expect(await queue.counts()).toMatchObject({ dead: 100_000, dropped: 5 });
  const { rows } = await stage.pool.query(
    "SELECT FROM keyline.job WHERE queue = $1 AND state = 'dead' AND died_at < now() - interval '1 day'",
    [queue.name],
  );
  expect(rows).toEqual([]);
});
