import { afterAll, beforeAll, expect, test } from "vitest";
import { eventually, gate, openStage, type Stage } from "../../support/stage.ts";
import { containing, startWireProxy, targetOf, through, type WireProxy } from "../../support/wire-proxy.ts";

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

test("a job that was woken is not delivered a second time by the relay while its delivery is being noted", async () => {
  const queue = stage.keyline({ postgres: through(stage.databaseUrl, proxy) }).queue<number>("woken", { transactional: true });
  const [mayNote, mayEnd] = [gate(), gate()];
  const runs: number[] = [];
  const worker = queue.work(
    async (job) => {
      runs.push(job.data);
      if (job.data === 2) return;
      await job.signalled("go");
      await mayEnd.opened;
    },
    { concurrency: 5 },
  );
  const { id } = await queue.add(1);
  const noted = "SELECT FROM keyline.job WHERE id = $1 AND parked IS NOT NULL AND delivered_to IS NOT NULL";
  await eventually("it is parked", async () => (await stage.pool.query(noted, [id])).rowCount === 1);
  proxy.holdRequest(containing("keyline-note-parked"), mayNote.opened);
  await queue.signal(id, "go");
  await eventually("its delivery is to be noted, and it runs", () => proxy.held === 1 && runs.length === 2);
  // Nobody but the relay brings this one, and it looks at both together.
  await stage.pool.query("INSERT INTO keyline.job (queue, id, data) VALUES ('woken', 'by hand', '2')");
  await eventually("the relay has brought what nobody else does", () => runs.includes(2));
  await eventually("it alone is left", async () => {
    const { waiting, running } = await queue.counts();
    return waiting === 0 && running === 1;
  });
  mayNote.open();
  mayEnd.open();
  await eventually("it has ended", async () => (await stage.pool.query("SELECT FROM keyline.job")).rowCount === 0);
  expect(runs).toEqual([1, 1, 2]);
  await worker.stop();
});
