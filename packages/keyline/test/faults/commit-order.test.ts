import { startPostgres, type EmbeddedPostgres } from "@keyline/embedded";
import type { Keyline } from "keyline";
import pg from "pg";
import { afterAll, beforeAll, expect, test } from "vitest";
import { eventually, openStage, type Stage } from "../support/stage.ts";

type N = { readonly n: number };

let stage: Stage;
let keyline: Keyline;
let pool: pg.Pool;
let postgres: EmbeddedPostgres;
beforeAll(async () => {
  // Of its own, for its connections.
  postgres = await startPostgres();
  stage = await openStage({ postgresUrl: postgres.url });
  keyline = stage.keyline();
  await keyline.migrate();
  pool = new pg.Pool({ connectionString: stage.databaseUrl, max: 95 });
});
afterAll(async () => {
  await stage.close();
  await pool.end();
  await postgres.stop();
});

const transactions = [0, 1, 2] as const;

/** All orders of the steps of three transactions, of which each adds first and commits afterwards. */
function interleavings(left: readonly number[] = [...transactions, ...transactions]): number[][] {
  if (left.length === 0) return [[]];
  return [...new Set(left)].flatMap((one) => {
    const at = left.indexOf(one);
    return interleavings([...left.slice(0, at), ...left.slice(at + 1)]).map((rest) => [one, ...rest]);
  });
}

/** Runs the steps. After each commit the relay has to have looked, so that whatever it remembers of what it saw is behind the next one. */
async function runInOrder(order: readonly number[], name: string): Promise<void> {
  const queue = keyline.queue<N>(name, { transactional: true });
  const open = new Map<number, pg.PoolClient>();
  let committed = 0;
  for (const n of order) {
    const begun = open.get(n);
    if (!begun) {
      const client = await pool.connect();
      open.set(n, client);
      await client.query("BEGIN");
      // A wrapper that hides the connection: the end of the transaction cannot be seen, and the job is the relay's to bring.
      await queue.add({ n }, { tx: { query: (text, values) => client.query(text, values) } });
    } else {
      await begun.query("COMMIT");
      begun.release();
      committed++;
      await eventually(
        `the relay has brought ${committed} in the order ${order.join("")}`,
        async () => (await stage.valkey.llen(`${stage.prefix}:{${name}}:waiting`)) === committed,
        60_000,
      );
    }
  }
  const brought = (await stage.valkey.lrange(`${stage.prefix}:{${name}}:waiting`, 0, -1)).map(
    (raw) => (JSON.parse(raw) as { data: N }).data.n,
  );
  expect({ order, brought: brought.toSorted((one, other) => one - other) }).toEqual({ order, brought: [...transactions] });
}

// What takes ids before COMMIT and is read by "everything above the last id" loses whoever commits late.
test("in whatever order three transactions add and commit, all 90 of them, the relay brings each job once", async () => {
  const orders = interleavings();
  expect(orders).toHaveLength(90);
  for (let first = 0; first < orders.length; first += 30) {
    await Promise.all(orders.slice(first, first + 30).map((order, index) => runInOrder(order, `order-${first + index}`)));
  }
}, 180_000);
