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

test("a family whose parent was cancelled while a child is being settled is looked at now and then, and cleared up behind that", async () => {
  const keyline = stage.keyline({ postgres: through(stage.databaseUrl, proxy) });
  const parents = keyline.queue<string>("parents", { transactional: true });
  const children = keyline.queue<string>("children", { transactional: true });
  const [begun, held] = [gate(), gate()];
  const worker = children.work((_, { settle }) =>
    settle(async (tx) => {
      await tx.query("SELECT 1");
      begun.open();
      await held.opened;
    }),
  );
  const { id } = await parents.add("parent", { children: [{ queue: children, data: "child" }] });
  await begun.opened;
  let looks = 0;
  proxy.holdRequest((bytes) => {
    if (bytes.includes("keyline-clear-family")) looks++;
    return false;
  }, held.opened);
  await parents.cancel(id);
  await eventually("it is looked at", () => looks > 0);
  const before = looks;
  await new Promise((resolve) => setTimeout(resolve, 1_500));
  expect(looks - before).toBeLessThan(20);

  held.open();
  await eventually("nothing is left of it", async () => {
    const { rows } = await stage.pool.query("SELECT FROM keyline.family UNION ALL SELECT FROM keyline.family_child");
    return rows.length === 0;
  });
  await worker.stop();
});
