import { expect, test } from "vitest";
import { eventually, openStage, type Stage } from "../../../keyline/test/support/stage.ts";
import { health } from "../../src/api/health.ts";
import { overview } from "../../src/api/overview.ts";
import { queueView } from "../../src/api/queue.ts";
import { streamView } from "../../src/api/stream.ts";
import { openConsole, signToken } from "../support/console-server.ts";
import { openLive } from "../support/live-events.ts";
import { valid } from "../support/valid.ts";

/** What processes that stood still write down. */
async function noteLosses({ valkey, prefix }: Stage, rates: string, counts: Readonly<Record<string, number>>): Promise<void> {
  const minute = Math.floor(Date.now() / 60_000);
  await valkey.hset(`${prefix}:${rates}:${minute}`, counts);
}

test("where leases were lost in the last hour, the page of health warns, and the views of queue and stream tell it", async () => {
  const stage = await openStage();
  const keyline = stage.keyline();
  await keyline.migrate();
  const console = await openConsole({ keyline: stage.keyline() });
  await keyline.queue("mails").add(1);
  await keyline.queue("well").add(1);
  await keyline.stream("orders", { transactional: true }).append(1);
  await noteLosses(stage, "{mails}:rates", { leasesLost: 2, rescued: 5, overtaken: 1 });
  await noteLosses(stage, "{orders}:stream-rates", { leasesLost: 3, rescued: 4, overtaken: 0 });
  await eventually("the console knows all", async () => {
    const { items } = valid(overview, await console.get("api/overview"));
    return items.length === 3;
  });
  const { warnings } = valid(health, await console.get("api/health"));
  expect(warnings.filter(({ code }) => code === "LEASES_LOST")).toMatchObject([
    { message: "5 leases were lost in the last hour (3 of stream orders, 2 of queue mails): what ran was given to others" },
  ]);
  const live = await openLive(console.url, "health", await signToken({ console: "viewer" }));
  await live.find("it is told live", ({ data }) => JSON.stringify(data).includes("LEASES_LOST"));
  live.close();
  expect(valid(streamView, await console.get("api/streams/orders"))).toMatchObject({
    losses: { leases: 3, rescued: 4, overtaken: 0 },
    problems: [{ code: "LEASES_LOST", text: "3 leases were lost in the last hour: what ran was given to others" }],
  });
  expect(valid(queueView, await console.get("api/queues/mails"))).toMatchObject({ losses: { leases: 2, rescued: 5, overtaken: 1 } });
  const { items } = valid(overview, await console.get("api/overview"));
  const losing = items.filter(({ problems }) => problems.some(({ code }) => code === "LEASES_LOST"));
  expect(losing.map(({ kind, name }) => `${kind} ${name}`).toSorted()).toEqual(["queue mails", "stream orders"]);
  await console.close();
  await stage.close();
});

test("where none was lost, nothing is said of it", async () => {
  const stage = await openStage();
  const keyline = stage.keyline();
  await keyline.migrate();
  await keyline.queue("mails").add(1);
  const console = await openConsole({ keyline });
  const { warnings } = valid(health, await console.get("api/health"));
  expect(warnings.filter(({ code }) => code === "LEASES_LOST")).toEqual([]);
  await console.close();
  await stage.close();
});
