import { afterAll, beforeAll, expect, test } from "vitest";
import { eventually, gate, openQuietStage, type Stage } from "../../support/stage.ts";
import { startWireProxy, type WireProxy } from "../../support/wire-proxy.ts";

let stage: Stage;
let proxy: WireProxy;

beforeAll(async () => {
  stage = await openQuietStage();
  const { hostname, port } = new URL(stage.valkeyUrl);
  proxy = await startWireProxy({ target: { host: hostname, port: Number(port) } });
});

afterAll(async () => {
  await stage.close();
  await proxy.stop();
});

test("nothing is left of a parent on a plain queue that is cancelled before its children were brought to their queue", async () => {
  const adder = stage.keyline({ valkey: `valkey://127.0.0.1:${proxy.port}` });
  const keyline = stage.keyline();
  const [parents, children] = [keyline.queue<number>("parents"), keyline.queue<number>("children")];
  const worker = parents.work(() => undefined);
  const below = [1, 2].map((data) => ({ queue: adder.queue<number>("children"), data }));
  const slow = gate();
  proxy.holdRequest((bytes) => bytes.includes("{children}:"), slow.opened);
  const adding = adder.queue<number>("parents").add(0, { id: "parent", children: below });
  await eventually("the parent is there", async () => (await parents.job("parent"))?.state === "parked");
  expect(await parents.cancel("parent")).toBe("scheduled");

  // The time is over within which somebody may bring them.
  const keys = (): Promise<string[]> => stage.valkey.keys(`${stage.prefix}:{*}:famil*`);
  const family = (await keys()).find((key) => key.includes(":family:")) ?? "";
  expect(await stage.valkey.hget(family, "ended")).toBe("cancelled");
  await stage.valkey.hincrby(family, "ended_at", -120_000);
  await stage.valkey.zadd(`${stage.prefix}:{parents}:families`, 0, family.slice(family.indexOf(":family:") + ":family:".length));
  await eventually("nothing is left of it", async () => (await keys()).length === 0);

  proxy.passAll();
  slow.open();
  expect(await adding).toEqual({ id: "parent", added: true });
  expect(await children.counts()).toMatchObject({ waiting: 0 });
  await worker.stop();
});
