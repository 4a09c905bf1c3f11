import { afterAll, beforeAll, expect, test } from "vitest";
import type { Snapshot } from "../snapshot.ts";
import { openShop, type TestShop } from "./support/shop.ts";

let shop: TestShop;
beforeAll(async () => {
  shop = await openShop({ workers: 1 });
});
afterAll(() => shop.close());

/** The snapshots of one stream, until the caller stops reading. */
async function* follow(): AsyncGenerator<Snapshot> {
  const response = await fetch(`${shop.url}/api/shop/events`);
  expect(response.headers.get("content-type")).toBe("text/event-stream");
  if (!response.body) throw new Error("The stream has no body");
  let text = "";
  for await (const chunk of response.body.pipeThrough(new TextDecoderStream())) {
    const frames = (text + chunk).split("\n\n");
    text = frames.pop() ?? "";
    for (const frame of frames) {
      const data = /^event: snapshot\ndata: (.*)$/.exec(frame)?.[1];
      if (data !== undefined) yield JSON.parse(data) as Snapshot;
    }
  }
}

async function readUntil(isEnough: (snapshot: Snapshot) => boolean): Promise<Snapshot[]> {
  const snapshots: Snapshot[] = [];
  for await (const snapshot of follow()) {
    snapshots.push(snapshot);
    if (isEnough(snapshot)) break;
  }
  return snapshots;
}

test("an order is seen on its way, until it is processed", async () => {
  await readUntil(({ workers }) => workers.some((worker) => worker.state === "ready"));
  await shop.request("PUT", "/api/shop/label-time", { labelMs: 1_000 });
  await shop.request("POST", "/api/shop/orders", { details: "Oak shelf" });
  const snapshots = await readUntil(({ orders }) => orders[0]?.state === "processed");
  expect(snapshots.flatMap(({ orders }) => orders.map((order) => order.state))).toContain("running");
  const last = snapshots.at(-1);
  expect(last?.orders[0]).toMatchObject({ details: "Oak shelf", attempt: 1, waitedMs: expect.any(Number), ranMs: expect.any(Number) });
  expect(last?.totals).toEqual({ placed: 1, processed: 1, lost: 0 });
  expect(last?.away).toEqual([]);
});

test("never is an order lost or counted twice while a burst drains", async () => {
  await shop.request("PUT", "/api/shop/label-time", { labelMs: 0 });
  await shop.request("POST", "/api/shop/bursts", { count: 700 });
  const snapshots = await readUntil(({ burst }) => burst?.done === 700);
  for (const { totals, counts, burst } of snapshots) {
    expect(totals.lost).toBe(0);
    expect(totals.processed + counts.new).toBe(totals.placed);
    expect(burst?.done ?? 0).toBeLessThanOrEqual(burst?.placed ?? 0);
  }
  expect(snapshots.at(-1)?.totals).toEqual({ placed: 701, processed: 701, lost: 0 });
});

test("says how many orders come before one that waits", async () => {
  const { workers } = (await readUntil(() => true))[0] ?? { workers: [] };
  for (const { workerId } of workers) await shop.request("DELETE", `/api/shop/workers/${workerId}`);
  for (const details of ["first", "second", "third"]) await shop.request("POST", "/api/shop/orders", { details });
  const snapshot = (await readUntil(({ orders }) => orders[0]?.details === "third")).at(-1);
  expect(snapshot?.orders.slice(0, 3).map((order) => order.ahead)).toEqual([2, 1, 0]);
  expect(snapshot?.next).toEqual(
    snapshot?.orders
      .slice(0, 3)
      .map((order) => order.orderId)
      .toReversed(),
  );
});
