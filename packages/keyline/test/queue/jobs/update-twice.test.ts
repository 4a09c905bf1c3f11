import pg from "pg";
import { afterAll, beforeAll, expect, test } from "vitest";
import { eventually, gate, openStage, type Stage } from "../../support/stage.ts";

let stage: Stage;
beforeAll(async () => {
  stage = await openStage();
  await stage.keyline().migrate();
  await stage.pool.query("CREATE TABLE effect (data text)");
});
afterAll(() => stage.close());

/** Connections whose changes to rows wait for the gate. */
function lateWriter(isAsked: { readonly open: () => void }, mayWrite: { readonly opened: Promise<void> }): pg.Pool {
  class LateClient extends pg.Client {
    override query(...values: unknown[]): never {
      const run = (): unknown => (super.query as (...all: unknown[]) => unknown).apply(this, values);
      const { name } = values[0] as { readonly name?: string };
      if (name?.includes("keyline-update") !== true) return run() as never;
      isAsked.open();
      return mayWrite.opened.then(run) as never;
    }
  }
  return new pg.Pool({ connectionString: stage.databaseUrl, Client: LateClient });
}

test("two updates with a job that begins between them change nothing, and the job ends with what it began with", async () => {
  const [isAsked, mayWrite] = [gate(), gate()];
  const pool = lateWriter(isAsked, mayWrite);
  const options = { transactional: true } as const;
  const slow = stage.keyline({ postgres: pool }).queue<string>("q", options);
  const queue = stage.keyline().queue<string>("q", options);
  const { id } = await queue.add("first");
  const isDelivered = "SELECT FROM keyline.job WHERE id = $1 AND delivered_to IS NOT NULL";
  await eventually("it is noted as delivered", async () => (await stage.pool.query(isDelivered, [id])).rowCount === 1);
  const updating = slow.update(id, { data: "slow" });
  await isAsked.opened;
  const [begun, going] = [gate(), gate()];
  const worker = queue.work(async ({ data }, { settle }) => {
    begun.open();
    await going.opened;
    await settle((tx) => tx.query("INSERT INTO effect VALUES ($1)", [data]));
  });
  await begun.opened;
  const running = { updated: false, state: "running" };
  expect(await queue.update(id, { data: "quick" })).toEqual(running);
  mayWrite.open();
  expect(await updating).toEqual(running);
  going.open();
  await eventually("it has ended", async () => (await stage.pool.query("SELECT FROM keyline.job")).rowCount === 0);
  await worker.stop();
  expect((await stage.pool.query("SELECT data FROM effect")).rows).toEqual([{ data: "first" }]);
  await pool.end();
}, 60_000);
