import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import type { Keyline } from "keyline";
import { openGateway, signToken } from "../../../gateway/test/support/gateway.ts";
import { openStage, type Stage } from "../../../keyline/test/support/stage.ts";
import { connect, type ClientError, type Live, type PresenceChange } from "../../src/index.ts";
import { Log, reached, take } from "../support/client.ts";

let stage: Stage;
let keyline: Keyline;
let gateway: Awaited<ReturnType<typeof openGateway>>;

beforeAll(async () => {
  stage = await openStage();
  keyline = stage.keyline();
  const news = keyline.channel("news", { history: { size: 1_000 } });
  const room = keyline.channel("room", { history: { size: 1_000 } });
  const one = { channel: news, access: "public", publish: "public" } as const;
  const two = { channel: room, access: "token", presence: true } as const;
  gateway = await openGateway({
    keyline,
    channels: (name) => {
      if (name === "news") return one;
      if (name === "room") return two;
      return name.startsWith("many-") ? { channel: keyline.channel(name), access: "public" } : undefined;
    },
  });
});
afterAll(async () => {
  await gateway.close();
  await stage.close();
});

const everything = { channels: { subscribe: ["*"], publish: ["*"] } };

function open(token?: () => Promise<string>): Live {
  const live = connect(gateway.url, { token });
  onTestFinished(() => live.close());
  return live;
}

const as = (sub: string) => open(() => signToken({ sub, ...everything }));

describe("with the gateway itself", () => {
  test("messages come with what they were published with, and publishing is answered", async () => {
    const live = open();
    const subscription = live.subscribe<{ readonly text: string }>("news");
    await subscription.ready;
    const { id, receivers } = await live.publish("news", { text: "Hello" });
    const iterator = subscription[Symbol.asyncIterator]();
    const { value } = await iterator.next();
    expect(value).toEqual({ channel: "news", id, data: { text: "Hello" }, at: expect.any(Number), cursor: expect.any(String) });
    expect(subscription.cursor).toBe(value?.cursor);
    expect(receivers).toBeGreaterThan(0);
  });

  test("a second subscription of a channel has its own beginning, and the first does not notice", async () => {
    const live = open();
    const first = live.subscribe<number>("news");
    await first.ready;
    const { cursor } = first;
    for (let n = 0; n < 3; n++) await keyline.channel("news").publish(n);
    expect(await take(first, 3)).toEqual([0, 1, 2]);
    const second = live.subscribe<number>("news", { since: cursor });
    const third = live.subscribe<number>("news");
    await Promise.all([second.ready, third.ready]);
    await keyline.channel("news").publish(3);
    expect(await take(second, 4)).toEqual([0, 1, 2, 3]);
    expect(await take(third, 1)).toEqual([3]);
    expect(await take(first, 1)).toEqual([3]);
  });

  test("a history that Valkey lost is announced to one who comes back to it, before what there is now", async () => {
    const seen = new Log<unknown>();
    const first = open().subscribe<string>("news");
    await first.ready;
    await keyline.channel("news").publish("before");
    await take(first, 1);
    await first.close();
    await stage.valkey.del(`${stage.prefix}:{news}:history`, `${stage.prefix}:{news}:history-state`);
    await keyline.channel("news").publish("after");
    open().subscribe<string>("news", ({ data }) => seen.add(data), { since: first.cursor, onGap: ({ reason }) => seen.add(reason) });
    expect(await seen.length(2)).toEqual(["lost", "after"]);
  });

  test("more subscriptions than the gateway takes frames in a second all begin", async () => {
    const live = open();
    const states = new Log<string>();
    live.on("state", states.add);
    await Promise.all(Array.from({ length: 80 }, (_, index) => live.subscribe(`many-${index}`).ready));
    expect(states.entries).toEqual(["online"]);
  }, 20_000);

  test("a message that is too large is refused here, and the connection lives", async () => {
    const live = open();
    const states = new Log<string>();
    await reached(live, "online");
    live.on("state", states.add);
    await expect(live.publish("news", "x".repeat(70_000))).rejects.toMatchObject({ code: "PAYLOAD_TOO_LARGE" });
    await live.publish("news", "small");
    expect(states.entries).toEqual([]);
  });

  test.each([
    ["nowhere", { channels: { subscribe: ["nowhere"] } }, "UNKNOWN_CHANNEL"],
    ["nowhere", undefined, "TOKEN_MISSING"],
    ["room", undefined, "TOKEN_MISSING"],
    ["room", { channels: { subscribe: ["news"] } }, "FORBIDDEN"],
  ])("the channel %s with %j is refused with %s", async (channel, claims, code) => {
    const live = open(claims && (() => signToken({ sub: "eve", ...claims })));
    const reason = await live.subscribe(channel).closed;
    expect(reason?.code).toBe(code);
  });

  test("a cursor that is none is refused", async () => {
    expect((await open().subscribe("news", { since: "abc" }).closed)?.code).toBe("INVALID_CURSOR");
  });
});

describe("tokens", () => {
  test("are replaced before they end, and the subscription goes on over the same connection", async () => {
    let fetched = 0;
    const refreshed = Promise.withResolvers<void>();
    const live = open(() => {
      if (++fetched === 3) refreshed.resolve();
      return signToken({ sub: "ada", ...everything, exp: Math.floor(Date.now() / 1_000) + 3 });
    });
    const states = new Log<string>();
    live.on("state", states.add);
    const subscription = live.subscribe<number>("room");
    await subscription.ready;
    await refreshed.promise;
    await keyline.channel("room").publish(1);
    expect(await take(subscription, 1)).toEqual([1]);
    expect(states.entries).toEqual(["online"]);
  }, 20_000);

  test("that are revoked end the client", async () => {
    const live = as("mallory");
    const subscription = live.subscribe("room");
    await subscription.ready;
    await gateway.gateway.revoke({ sub: "mallory" });
    expect((await subscription.closed)?.code).toBe("TOKEN_REVOKED");
    expect(live.state).toBe("closed");
  });

  test("that are refused are told, and a good one goes on", async () => {
    let fetched = 0;
    const live = open(async () => (++fetched < 3 ? "no token" : signToken({ sub: "ada", ...everything })));
    const errors = new Log<ClientError>();
    live.on("error", errors.add);
    await live.subscribe("room").ready;
    expect(errors.entries.map(({ code }) => code)).toEqual(["TOKEN_INVALID", "TOKEN_INVALID"]);
  });
});

test("presence: who is here, who joins and who leaves, by leaving or by going away", async () => {
  const ada = as("ada");
  await ada.presence("room").enter({ name: "Ada" });
  const changes = new Log<PresenceChange>();
  const watch = as("eve").presence("room").watch(changes.add);
  await watch.ready;
  expect([...watch.members.values()]).toEqual([{ member: "ada", info: { name: "Ada" }, since: expect.any(Number) }]);
  const bob = as("bob");
  await bob.presence("room").enter();
  await changes.length(1);
  await ada.presence("room").leave();
  await changes.length(2);
  bob.close();
  expect(await changes.length(3)).toEqual([
    { kind: "joined", member: "bob", info: null },
    { kind: "left", member: "ada", info: { name: "Ada" } },
    { kind: "left", member: "bob", info: null },
  ]);
  expect(watch.members.size).toBe(0);
});
