import { afterAll, beforeAll, expect, test } from "vitest";
import { eventually, gate, openQuietStage, type Stage } from "../../support/stage.ts";
import { startWireProxy, type WireProxy } from "../../support/wire-proxy.ts";

let stage: Stage;
let proxy: WireProxy;

beforeAll(async () => {
  stage = await openQuietStage();
  const { hostname, port } = new URL(stage.valkeyUrl);
  proxy = await startWireProxy({ target: { host: hostname, port: Number(port) } });
  await stage.keyline().migrate();
});

afterAll(async () => {
  await stage.close();
  await proxy.stop();
});

test("who begins to wait while an older look is under way hears of an end before anybody follows what ends", async () => {
  const rules = { transactional: true, keepResult: 60_000 } as const;
  const [queue, waiter] = [stage.keyline(), stage.keyline({ valkey: `valkey://127.0.0.1:${proxy.port}` })].map((keyline) =>
    keyline.queue<number>("numbers", rules),
  );
  if (!queue || !waiter) throw new Error("there are two");
  const [first, second] = await queue.addMany([{ data: 1 }, { data: 2 }]);
  if (!first || !second) throw new Error("there are two");

  const other = await stage.pool.connect();
  await other.query("BEGIN; LOCK TABLE keyline.outcome IN ACCESS EXCLUSIVE MODE");
  await expect(waiter.waitFor(first.id, { timeout: 1_000 })).rejects.toMatchObject({ code: "TIMEOUT" });
  const isWaiting = "SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";
  expect((await stage.pool.query(isWaiting)).rowCount).toBe(1);
  // What ends is not followed any more.
  const blocked = async (): Promise<boolean> => String(await stage.valkey.client("LIST")).includes("flags=b");
  await eventually("nobody follows", async () => !(await blocked()));

  const late = gate();
  proxy.holdRequest((bytes) => bytes.includes("{numbers}:workers"), late.opened);
  const waiting = waiter.waitFor(second.id, { timeout: 20_000 });
  await eventually("it is about to follow", () => proxy.held > 0);
  await other.query("COMMIT");
  other.release();
  await eventually("the older look is over", async () => (await stage.pool.query(isWaiting)).rowCount === 0);
  const worker = queue.work(({ data }) => data);
  expect(await queue.waitFor(second.id)).toBe(2);
  proxy.passAll();
  late.open();
  expect(await waiting).toBe(2);
  await worker.stop();
});
