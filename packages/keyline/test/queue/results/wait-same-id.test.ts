import { afterAll, beforeAll, expect, test } from "vitest";
import { openEither } from "../../support/either-queue.ts";
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

test.each([{ transactional: false }, { transactional: true }])(
  "who waits for a job whose id was used before gets its own result, however late he hears of the end before (transactional: $transactional)",
  async ({ transactional }) => {
    const rules = { transactional, keepResult: 60_000 };
    const open = (keyline = stage.keyline()) => openEither<number>(keyline, `same-${transactional}`, rules);
    const queue = open();
    const late = open(stage.keyline({ valkey: `valkey://127.0.0.1:${proxy.port}` }));
    const [other, second] = [gate(), gate()];
    const worker = queue.work(
      async ({ data }) => {
        if (data === 0) await other.opened;
        if (data === 2) await second.opened;
        return data;
      },
      { concurrency: 2 },
    );
    await queue.add(0, { id: "other" });
    const follows = late.waitFor("other");
    await eventually("it follows what ends", async () => (await stage.valkey.exists(`${stage.prefix}:{${queue.name}}:ends`)) === 1);
    proxy.starveAll(true);
    await queue.add(1, { id: "same" });
    expect(await queue.waitFor("same")).toBe(1);
    await eventually("it can be added again", async () => (await queue.add(2, { id: "same" })).added);
    const waiting = late.waitFor("same");
    proxy.starveAll(false);
    await Promise.race([waiting, eventually("it runs", async () => (await queue.counts()).running === 2)]);
    second.open();
    expect(await waiting).toBe(2);
    other.open();
    expect(await follows).toBe(0);
    await worker.stop();
  },
);
