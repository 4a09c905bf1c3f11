import type { Queue } from "keyline";
import { afterAll, beforeAll, expect, test } from "vitest";
import { eventually, gate, openStage, type Stage } from "../../support/stage.ts";
import { startWireProxy, targetOf, through, type WireProxy } from "../../support/wire-proxy.ts";

let stage: Stage;
let proxy: WireProxy;
beforeAll(async () => {
  stage = await openStage();
  await stage.keyline().migrate();
  proxy = await startWireProxy({ target: targetOf(stage.databaseUrl) });
});
afterAll(async () => {
  await stage.close();
  await proxy.stop();
});

const open = (given: { readonly postgres?: string }): Queue<number, number, true> =>
  stage.keyline(given).queue<number>("lost-answer", { transactional: true, lease: 2_000 });

test("a job whose row goes before its cancel has heard that it has cancelled it is told to be cancelled, and one of before is not", async () => {
  const slow = open({ postgres: through(stage.databaseUrl, proxy) });
  const queue = open({});
  const rows = async (): Promise<number> =>
    (await stage.pool.query("SELECT FROM keyline.job WHERE queue = $1", [queue.name])).rowCount ?? 0;
  const [{ id: before }, { id }] = [await queue.add(1), await queue.add(2)];
  await eventually("they wait", async () => (await queue.counts()).waiting === 2);
  expect(await queue.cancel(before)).toBe("waiting");
  await stage.pool.query("UPDATE keyline.outcome SET ended_at = ended_at - interval '1 minute' WHERE id = $1", [before]);
  // It is known by its name from here on.
  await slow.cancel("nobody");
  const again = gate();
  let sent = 0;
  proxy.swallowReply((bytes) => bytes.includes(before) && bytes.includes(id));
  proxy.holdRequest((bytes) => bytes.includes(before) && bytes.includes(id) && ++sent === 2, again.opened);
  const cancelling = slow.cancel({ ids: [before, id] });
  await eventually("it is cancelled, and asked for once more", () => proxy.held === 1);
  // Its worker finds it cancelled, and says that nothing of it is left.
  const ran: number[] = [];
  const worker = queue.work((job) => void ran.push(job.data));
  await eventually("its row is gone", async () => (await rows()) === 0);
  again.open();
  expect(await cancelling).toBe(1);
  expect(proxy.swallowed).toBe(1);
  expect(ran).toEqual([]);
  proxy.passAll();
  await worker.stop();
});
