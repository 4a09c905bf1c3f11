import { afterAll, beforeAll, expect, test } from "vitest";
import { eventually, openStage, type Stage } from "../../support/stage.ts";

let stage: Stage;
beforeAll(async () => {
  stage = await openStage();
  await stage.keyline().migrate();
});
afterAll(() => stage.close());

const rules = { transactional: true } as const;

async function waiting(count: number): Promise<void> {
  const text = "SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";
  await eventually(`${count} wait`, async () => (await stage.pool.query(text)).rows.length === count);
}

/** What PostgreSQL has counted; sessions that have ended have told all. */
async function deadlocks(): Promise<number> {
  const text = "SELECT deadlocks::integer AS count FROM pg_stat_database WHERE datname = current_database()";
  return (await stage.pool.query<{ count: number }>(text)).rows[0]?.count ?? -1;
}

test("of two families that name the same children crosswise one is added, and the other one waits for it alone", async () => {
  const [one, other] = [stage.keyline(), stage.keyline()];
  const add = (keyline: typeof one, ids: readonly string[]): Promise<unknown> => {
    const children = keyline.queue<number>("crossed", rules);
    const below = ids.map((id, data) => ({ queue: children, data, options: { id } }));
    return keyline.queue<number>("crossing", rules).add(0, { children: below });
  };
  // Both stores know the queues.
  for (const keyline of [one, other]) await keyline.queue<number>("crossing", rules).add(1, { children: [] });
  const holder = await stage.pool.connect();
  await holder.query("BEGIN");
  await holder.query("INSERT INTO keyline.job (queue, id, data) VALUES ('crossed', 'm', '1')");
  const added = Promise.allSettled([add(one, ["a", "m", "z"]), waiting(1).then(() => add(other, ["z", "m", "a"]))]);
  await waiting(2);
  await holder.query("ROLLBACK");
  holder.release();
  const [first, second] = await added;
  expect(first).toMatchObject({ status: "fulfilled", value: { added: true } });
  expect(second).toMatchObject({ status: "rejected", reason: { code: "INVALID_OPTION" } });
  await Promise.all([one.close(), other.close()]);
  const sessions = "SELECT FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid() AND query LIKE '%keyline%'";
  await eventually("their sessions have ended", async () => (await stage.pool.query(sessions)).rows.length === 0);
  expect(await deadlocks()).toBe(0);
});

test("children of a group run in the order in which they were given, whatever their ids", async () => {
  const keyline = stage.keyline();
  const children = keyline.queue<number>("ordered", rules);
  const ids = ["c", "a", "d", "b"];
  const below = ids.map((id, data) => ({ queue: children, data, options: { id, group: "g" } }));
  await keyline.queue<number>("ordering", rules).add(0, { children: below });
  const ran: string[] = [];
  const worker = children.work((job) => void ran.push(job.id), { concurrency: 4 });
  await eventually("all ran", () => ran.length === ids.length);
  expect(ran).toEqual(ids);
  await worker.stop();
});
