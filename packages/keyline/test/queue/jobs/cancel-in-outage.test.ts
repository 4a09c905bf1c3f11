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

test("a job that is cancelled while its end cannot be written is cancelled for all who ask, and not completed", async () => {
  const rules = { transactional: true, keepResult: 60_000 } as const;
  const queue = stage.keyline().queue<string>("outage", rules);
  const away = stage.keyline({ postgres: through(stage.databaseUrl, proxy) }).queue<string>("outage", rules);
  const held = gate();
  const completed: string[] = [];
  const worker = away.work(() => held.opened.then(() => "result"));
  worker.on("completed", ({ id }) => void completed.push(id));
  const { id } = await queue.add("job");
  await eventually("it runs", async () => (await queue.counts()).running === 1);
  const waited = queue.waitFor(id).then(
    () => undefined,
    (error: unknown) => error,
  );

  // Its end does not get through, nor does a new connection.
  proxy.cutBeforeForward((bytes) => bytes.includes(id));
  await proxy.refuse(true);
  held.open();
  await eventually("its end was sent", () => proxy.cuts === 1);
  expect(await queue.cancel(id)).toBe("running");
  await proxy.refuse(false);

  expect(await waited).toMatchObject({ code: "JOB_CANCELLED" });
  await eventually("its worker has let it go", async () => (await queue.counts()).running === 0);
  expect(completed).toEqual([]);
  expect((await queue.job(id))?.state).toBe("cancelled");
  await worker.stop();
});
