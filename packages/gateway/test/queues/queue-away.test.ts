import { startValkey } from "@keyline/embedded";
import { expect, test } from "vitest";
import { eventually, openStage } from "../../../keyline/test/support/stage.ts";
import { bearer, openGateway, request, signToken } from "../support/gateway.ts";

test("says that the counts of a queue are its rows while Valkey is away", async () => {
  const valkey = await startValkey();
  const stage = await openStage({ valkeyUrl: valkey.url });
  const keyline = stage.keyline();
  await keyline.migrate();
  const queue = keyline.queue<number>("orders", { transactional: true });
  const gateway = await openGateway({ keyline, queues: [queue] });
  const headers = bearer(await signToken({ queues: ["orders"] }));
  const read = () => request(`${gateway.url}/v1/queues/orders`, { headers });
  await queue.add(1);
  await eventually("it is there", async () => (await queue.counts()).waiting === 1);
  expect(await read()).toMatchObject({ status: 200, body: { counts: { waiting: 1 }, isFromRows: false } });
  await valkey.stop();
  await eventually("it is told by its row", async () => (await read()).body["isFromRows"] === true);
  expect((await read()).body).toMatchObject({ counts: { waiting: 1, running: 0, blocked: 0 }, isFromRows: true });
  await gateway.close();
  await stage.close();
});
