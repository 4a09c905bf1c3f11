import { beforeEach, describe, expect, test } from "vitest";
import { surroundings } from "../src/runtime/environment.ts";
import { Clock } from "./support/clock.ts";
import { openClient, openGateway, reached } from "./support/client.ts";
import type { GatewayDouble } from "./support/gateway-double.ts";

let gateway: GatewayDouble;

beforeEach(async () => {
  gateway = await openGateway();
});

function publishedTo(channel: string): unknown[] {
  return gateway.channel(channel).kept.map(({ data }) => data);
}

test("a message is published with its data, and answered with its id and how many got it", async () => {
  const live = openClient(gateway);
  await reached(live, "online");
  expect(await live.publish("news", { text: "a", list: [1, null] })).toEqual({ id: "m1", receivers: 1 });
  expect(publishedTo("news")).toEqual([{ text: "a", list: [1, null] }]);
});

test("each of many gets its own answer", async () => {
  gateway.framesPerSecond = 1_000;
  const live = openClient(gateway);
  await reached(live, "online");
  const results = await Promise.all(Array.from({ length: 100 }, (_, index) => live.publish("news", index)));
  expect(results.map(({ id }) => id)).toEqual(Array.from({ length: 100 }, (_, index) => `m${index + 1}`));
});

test("what the gateway refuses is rejected with its code", async () => {
  gateway.intercept = ({ type, ref }, say) => {
    if (type !== "publish") return false;
    say({ type: "error", ref, code: "FORBIDDEN", message: "Not yours" });
    return true;
  };
  const live = openClient(gateway);
  await reached(live, "online");
  await expect(live.publish("news", 1)).rejects.toMatchObject({ code: "FORBIDDEN", message: "Not yours" });
});

describe("without a connection", () => {
  test("it is rejected at once as OFFLINE, and never published", async () => {
    await gateway.down();
    const live = openClient(gateway);
    await expect(live.publish("news", "lost")).rejects.toMatchObject({ code: "OFFLINE" });
    await gateway.up();
    await reached(live, "online");
    await live.publish("news", "sent");
    expect(publishedTo("news")).toEqual(["sent"]);
  });

  test("with a timeout it waits for one, and carries what the data was at the call", async () => {
    await gateway.down();
    const live = openClient(gateway);
    const data = { text: "as it was" };
    const published = live.publish("news", data, { timeout: 60_000 });
    data.text = "changed";
    await gateway.up();
    expect(await published).toMatchObject({ id: "m1" });
    expect(publishedTo("news")).toEqual([{ text: "as it was" }]);
  });

  test("with a timeout that ends before one comes it is OFFLINE, and never published", async () => {
    await gateway.down();
    const clock = new Clock();
    const live = openClient(gateway, { environment: clock.within(surroundings) });
    const published = live.publish("news", "late", { timeout: 1_000 });
    await reached(live, "offline");
    clock.pass(1_000);
    await expect(published).rejects.toMatchObject({ code: "OFFLINE" });
  });

  test("a closed client says so, also to one who waits", async () => {
    await gateway.down();
    const live = openClient(gateway);
    const waiting = live.publish("news", 1, { timeout: 60_000 });
    live.close();
    await expect(waiting).rejects.toMatchObject({ code: "CLOSED" });
    await expect(live.publish("news", 1)).rejects.toMatchObject({ code: "CLOSED" });
  });
});

describe("an answer that got lost", () => {
  test("is OUTCOME_UNKNOWN, and the message is not sent again", async () => {
    gateway.intercept = ({ type, channel, data }) => {
      if (type !== "publish" || data !== "once") return false;
      gateway.publish(channel, data);
      gateway.drop();
      return true;
    };
    const live = openClient(gateway);
    await reached(live, "online");
    await expect(live.publish("news", "once", { timeout: 60_000 })).rejects.toMatchObject({ code: "OUTCOME_UNKNOWN" });
    await live.publish("news", "next", { timeout: 60_000 });
    expect(publishedTo("news")).toEqual(["once", "next"]);
  });

  test("is OUTCOME_UNKNOWN when it does not come in time", async () => {
    gateway.intercept = ({ type }) => type === "publish";
    const clock = new Clock();
    const live = openClient(gateway, { environment: clock.within(surroundings) });
    await reached(live, "online");
    const published = live.publish("news", "slow", { timeout: 1_000 });
    await gateway.frame("publish");
    clock.pass(1_000);
    await expect(published).rejects.toMatchObject({ code: "OUTCOME_UNKNOWN" });
  });

  test("is OUTCOME_UNKNOWN when the client is closed before it comes", async () => {
    gateway.intercept = ({ type }) => type === "publish";
    const live = openClient(gateway);
    await reached(live, "online");
    const published = live.publish("news", "slow");
    await gateway.frame("publish");
    live.close();
    await expect(published).rejects.toMatchObject({ code: "OUTCOME_UNKNOWN" });
  });
});

describe("is refused before anything is sent", () => {
  test.each([
    ["undefined", undefined],
    ["a function", () => undefined],
    ["a bigint", 1n],
  ])("%s, which JSON does not know", async (_, data) => {
    const live = openClient(gateway);
    await reached(live, "online");
    await expect(live.publish("news", data)).rejects.toMatchObject({ code: "NOT_SERIALIZABLE" });
  });

  test("more bytes than the gateway takes, so that the connection survives", async () => {
    const live = openClient(gateway);
    await reached(live, "online");
    await expect(live.publish("news", "€".repeat(33_400))).rejects.toMatchObject({ code: "PAYLOAD_TOO_LARGE" });
    await live.publish("news", "€".repeat(33_200));
    await live.publish("news", "e".repeat(99_900));
    expect(gateway.connections).toBe(1);
  });
});
