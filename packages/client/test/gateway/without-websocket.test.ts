import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import type { Keyline } from "keyline";
import type { GatewayLimits, StandaloneGateway } from "@keyline/gateway";
import { openGateway, request, signToken } from "../../../gateway/test/support/gateway.ts";
import { eventually, openStage, type Stage } from "../../../keyline/test/support/stage.ts";
import { startWireProxy, targetOf } from "../../../keyline/test/support/wire-proxy.ts";
import type { ClientError } from "../../src/client-error.ts";
import { toSocketUrl } from "../../src/connection/socket-url.ts";
import type { TokenSource } from "../../src/connection/token-keeper.ts";
import { Live } from "../../src/live.ts";
import { surroundings, type Environment } from "../../src/runtime/environment.ts";
import { Log, reached, take } from "../support/client.ts";
import { PlainProxy } from "../support/plain-proxy.ts";

// Behind a proxy that passes no upgrade on, a browser says nothing but that a WebSocket failed.

let stage: Stage;
let keyline: Keyline;
let gateway: StandaloneGateway;

const open = ({ port = 0, ...limits }: Partial<GatewayLimits> & { readonly port?: number } = {}): Promise<StandaloneGateway> => {
  const kept = (name: string) => keyline.channel<number>(name, { history: { size: 1_000 } });
  return openGateway({
    keyline,
    port,
    channels: (name) => ({
      channel: name.startsWith("plain") ? keyline.channel<number>(name) : kept(name),
      access: name.startsWith("private") ? "token" : "public",
      publish: "public",
      presence: true,
    }),
    streams: (name) => ({ stream: keyline.stream<number>(name), access: "public", append: "public" }),
    limits: { requests: { max: 100_000, perMs: 60_000 }, ...limits },
  });
};

beforeAll(async () => {
  stage = await openStage();
  keyline = stage.keyline();
  gateway = await open();
});
afterAll(async () => {
  await gateway.close();
  await stage.close();
});

interface Scene {
  readonly proxy: PlainProxy;
  readonly live: Live;
  readonly errors: Log<ClientError>;
  /** The network has come back. */
  wake(): void;
}

async function behindProxy({
  token,
  url = gateway.url,
  environment = surroundings,
}: { token?: TokenSource; url?: string; environment?: Environment } = {}): Promise<Scene> {
  const proxy = await PlainProxy.start(url);
  let wake = (): void => undefined;
  const onWake = (action: () => void): (() => void) => {
    wake = action;
    return () => undefined;
  };
  const live = new Live({ url: toSocketUrl(proxy.url), token, environment: { ...environment, onWake } });
  onTestFinished(() => live.close());
  const errors = new Log<ClientError>();
  live.on("error", errors.add);
  return { proxy, live, errors, wake: () => wake() };
}

const codesOf = ({ entries }: Log<ClientError>): string[] => entries.map(({ code }) => code);

describe("behind a proxy that passes no upgrade on", () => {
  test("the client says so once, and receives, publishes and appends all the same", async () => {
    const { live, errors, proxy } = await behindProxy();
    const news = live.subscribe<number>("news");
    const again = live.subscribe<number>("news");
    const sports = live.subscribe<number>("sports");
    const plain = live.subscribe<number>("plain");
    const events = live.stream<number>("events").follow();
    await Promise.all([news, again, sports, plain, events].map(({ ready }) => ready));
    expect(live.state).toBe("online");
    const { id, receivers } = await live.publish("news", 1, { timeout: 20_000 });
    expect(receivers).toBeGreaterThan(0);
    await live.publish("plain", 2);
    await live.publish("sports", 3);
    const appended = await live.stream<number>("events").append(4, { idempotencyKey: "once" });
    expect(await live.stream<number>("events").append(4, { idempotencyKey: "once" })).toEqual({ id: appended.id, appended: false });
    const { value } = await news[Symbol.asyncIterator]().next();
    expect(value).toEqual({ channel: "news", id, data: 1, at: expect.any(Number), cursor: expect.any(String) });
    expect(await take(again, 1)).toEqual([1]);
    expect(await take(plain, 1)).toEqual([2]);
    expect(await take(sports, 1)).toEqual([3]);
    const entry = await events[Symbol.asyncIterator]().next();
    expect(entry.value).toEqual({ stream: "events", id: appended.id, data: 4, at: expect.any(Number), key: null });
    expect(codesOf(errors)).toEqual(["WEBSOCKET_UNAVAILABLE"]);
    expect(errors.entries[0]?.message).toMatch(/proxy.*upgrade.*origins/s);
    expect(proxy.upgrades).toBeLessThan(5);
    // Channels share streams: three of them, one twice, and the stream of events.
    expect(gateway.gateway.connections).toBeLessThanOrEqual(3);
  });

  test("what is subscribed later, and no more, does not disturb the others", async () => {
    const { live } = await behindProxy();
    const seen = new Map<string, number[]>();
    const gaps: string[] = [];
    const listen = (name: string) => {
      const got: number[] = [];
      seen.set(name, got);
      return live.subscribe<number>(name, ({ data }) => void got.push(data), { onGap: ({ channel }) => void gaps.push(channel) });
    };
    const names = Array.from({ length: 8 }, (_, n) => `later-${n}`);
    const subscriptions = [];
    for (const [n, name] of names.entries()) {
      subscriptions.push(listen(name));
      await subscriptions.at(-1)?.ready;
      for (const before of names.slice(0, n + 1)) await keyline.channel<number>(before).publish(n);
    }
    await eventually("all have come", () => names.every((name, n) => seen.get(name)?.length === names.length - n));
    for (const [n, name] of names.entries()) expect(seen.get(name)).toEqual(names.map((_, m) => m).slice(n));
    expect(gaps).toEqual([]);
    expect(gateway.gateway.connections).toBeLessThanOrEqual(2);
    await subscriptions[0]?.close();
    await keyline.channel<number>("later-0").publish(100);
    await keyline.channel<number>("later-1").publish(100);
    await eventually("the others go on", () => seen.get("later-1")?.at(-1) === 100);
    expect(seen.get("later-0")).not.toContain(100);
    for (const subscription of subscriptions) await subscription.close();
    await eventually("nothing stays open", () => gateway.gateway.connections === 0);
  });

  test("one channel that is refused ends alone, with the gateway's reason", async () => {
    const { live, errors } = await behindProxy({ token: () => signToken({ channels: { subscribe: ["private-mine"] } }) });
    const mine = live.subscribe<number>("private-mine");
    const theirs = live.subscribe<number>("private-theirs");
    const bad = live.subscribe<number>("news", { since: "nonsense" });
    expect((await theirs.closed)?.code).toBe("FORBIDDEN");
    expect((await bad.closed)?.code).toBe("INVALID_CURSOR");
    await mine.ready;
    await keyline.channel<number>("private-mine").publish(1);
    expect(await take(mine, 1)).toEqual([1]);
    expect(codesOf(errors)).toEqual(["WEBSOCKET_UNAVAILABLE", "FORBIDDEN", "INVALID_CURSOR"]);
    await expect(live.publish("keyline:own", 1)).rejects.toMatchObject({ code: "FORBIDDEN" });
  });

  test("a token that ends is followed by the next one, and nothing is missed", async () => {
    let tokens = 0;
    const { live, errors } = await behindProxy({
      token: () => {
        const iat = Math.floor(Date.now() / 1_000);
        tokens++;
        return signToken({ iat, exp: iat + 3, channels: { subscribe: ["private-*"] } });
      },
    });
    const got: number[] = [];
    const subscription = live.subscribe<number>("private-short", ({ data }) => void got.push(data));
    await subscription.ready;
    const first = tokens;
    let n = 0;
    await eventually("two more tokens were asked for", async () => {
      await keyline.channel<number>("private-short").publish(n++);
      return tokens >= first + 2;
    });
    await keyline.channel<number>("private-short").publish(n);
    await eventually("all have come", () => got.at(-1) === n);
    expect(got).toEqual(Array.from({ length: n + 1 }, (_, index) => index));
    expect(codesOf(errors)).toEqual(["WEBSOCKET_UNAVAILABLE"]);
  });

  test("connections that break, and a gateway that restarts, are got over without a hole and without another error", async () => {
    let own = await open();
    const port = Number(new URL(own.url).port);
    onTestFinished(() => own.close());
    const { live, errors, proxy } = await behindProxy({ url: own.url });
    const got: number[] = [];
    const entries: number[] = [];
    const subscription = live.subscribe<number>("restarts", ({ data }) => void got.push(data));
    const following = live.stream<number>("restarts").follow(({ data }) => void entries.push(data));
    await Promise.all([subscription.ready, following.ready]);
    for (let round = 0; round < 3; round++) {
      await keyline.channel<number>("restarts").publish(2 * round);
      await keyline.stream<number>("restarts").append(2 * round);
      if (round === 1) {
        await own.close();
        await reached(live, "offline");
      } else {
        proxy.cut();
      }
      await keyline.channel<number>("restarts").publish(2 * round + 1);
      await keyline.stream<number>("restarts").append(2 * round + 1);
      if (round === 1) own = await open({ port });
      await eventually("it has caught up", () => got.length === 2 * round + 2 && entries.length === 2 * round + 2);
    }
    expect(got).toEqual([0, 1, 2, 3, 4, 5]);
    expect(entries).toEqual(got);
    expect(codesOf(errors)).toEqual(["WEBSOCKET_UNAVAILABLE"]);
  });

  test("an event stream that is renewed goes on without a hole, and nobody notices", async () => {
    const own = await open({ eventStreamMs: 2_000, beatMs: 1_000 });
    onTestFinished(() => own.close());
    const { live } = await behindProxy({ url: own.url });
    const states: string[] = [];
    const gaps: string[] = [];
    const [got, entries]: [number[], number[]] = [[], []];
    const onGap = ({ reason }: { readonly reason: string }): void => void gaps.push(reason);
    await live.subscribe<number>("renewed", ({ data }) => void got.push(data), { onGap }).ready;
    await live.stream<number>("renewed").follow(({ data }) => void entries.push(data), { onGap }).ready;
    live.on("state", (state) => void states.push(state));
    let n = 0;
    await eventually("both were renewed twice", async () => {
      await keyline.channel<number>("renewed").publish(n);
      await keyline.stream<number>("renewed").append(n++);
      const { text } = (await request(`${own.url}/metrics`)).body;
      return Number(/ended_total\{code="RENEW"\} (\d+)/.exec(String(text))?.[1] ?? 0) >= 4;
    });
    await eventually("all have come", () => got.length === n && entries.length === n);
    expect(got).toEqual(Array.from({ length: n }, (_, index) => index));
    expect(entries).toEqual(got);
    expect([...states, ...gaps]).toEqual([]);
  });

  test("an event stream that has died though it is open is noticed by its silence", async () => {
    const own = await open({ beatMs: 1_000 });
    onTestFinished(() => own.close());
    const wire = await startWireProxy({ target: targetOf(own.url) });
    onTestFinished(() => wire.stop());
    // A minute of the client takes three seconds.
    const environment: Environment = { ...surroundings, after: (ms, action) => surroundings.after(ms === 60_000 ? 3_000 : ms, action) };
    const { live, errors } = await behindProxy({ url: `http://127.0.0.1:${wire.port}`, environment });
    const got: number[] = [];
    await live.subscribe<number>("silent", ({ data }) => void got.push(data)).ready;
    wire.stallAll();
    await reached(live, "offline");
    await keyline.channel<number>("silent").publish(1);
    wire.passAll();
    await eventually("it has come", () => got.length === 1);
    expect(codesOf(errors)).toEqual(["WEBSOCKET_UNAVAILABLE"]);
  });

  test("a channel without history tells of a gap after each connection that was lost", async () => {
    const { live, proxy } = await behindProxy();
    const gaps = new Log<string>();
    const subscription = live.subscribe("plain-gaps", () => undefined, { onGap: ({ reason }) => gaps.add(reason) });
    await subscription.ready;
    proxy.cut();
    expect(await gaps.length(1)).toEqual(["disconnected"]);
  });

  test("a WebSocket takes over when one gets through, presence begins then, and nothing is missed", async () => {
    const { live, errors, proxy, wake } = await behindProxy({ token: () => signToken({ sub: "ada", channels: { subscribe: ["*"] } }) });
    const got: number[] = [];
    const subscription = live.subscribe<number>("return", ({ data }) => void got.push(data));
    await subscription.ready;
    let isIn = false;
    const entered = live
      .presence("return")
      .enter()
      .then(() => (isIn = true));
    await keyline.channel<number>("return").publish(0);
    await eventually("it has come", () => got.length === 1);
    expect(isIn).toBe(false);
    // In vain: it stays with what works.
    const { upgrades } = proxy;
    wake();
    await eventually("a WebSocket was tried", () => proxy.upgrades > upgrades);
    await keyline.channel<number>("return").publish(1);
    await eventually("it has come", () => got.length === 2);

    proxy.passesUpgrades = true;
    await eventually("a WebSocket gets through", () => {
      wake();
      return isIn;
    });
    await entered;
    await keyline.channel<number>("return").publish(2);
    await eventually("it has come", () => got.length === 3);
    expect(got).toEqual([0, 1, 2]);
    expect(codesOf(errors)).toEqual(["WEBSOCKET_UNAVAILABLE"]);
    expect(gateway.gateway.connections).toBe(1);
  });
});

test("a gateway that is away for a while is not taken for a proxy that passes nothing on", async () => {
  let own = await open();
  const port = Number(new URL(own.url).port);
  onTestFinished(() => own.close());
  const { live, errors, proxy } = await behindProxy({ url: own.url });
  proxy.passesUpgrades = true;
  await reached(live, "online");
  for (let round = 0; round < 3; round++) {
    await own.close();
    await reached(live, "offline");
    const { upgrades } = proxy;
    await eventually("it was tried in vain", () => proxy.upgrades > upgrades + 1);
    own = await open({ port });
    await reached(live, "online");
  }
  expect(codesOf(errors)).toEqual([]);
});

test("a gateway that drains, or has no room, is not taken for one either", async () => {
  const own = await openGateway({ keyline, limits: { connectionsPerVisitor: 1 } });
  onTestFinished(() => own.close());
  const one = await behindProxy({ url: own.url });
  one.proxy.passesUpgrades = true;
  await reached(one.live, "online");
  const { live, errors, proxy } = await behindProxy({ url: own.url });
  proxy.passesUpgrades = true;
  await eventually("it was refused again and again", () => proxy.upgrades > 3);
  one.live.close();
  await reached(live, "online");
  expect(codesOf(errors)).toEqual([]);
});

test("what is published when the connection breaks before the answer ends as OUTCOME_UNKNOWN", async () => {
  const asked = Promise.withResolvers<void>();
  const own = await openGateway({
    keyline,
    channels: (name) => {
      if (name !== "stuck") return { channel: keyline.channel<number>(name), access: "public" };
      asked.resolve();
      return new Promise(() => undefined);
    },
  });
  onTestFinished(() => own.close());
  const { live, proxy } = await behindProxy({ url: own.url });
  await live.subscribe("plain-stuck").ready;
  const published = live.publish("stuck", 1);
  await asked.promise;
  proxy.cut();
  await expect(published).rejects.toMatchObject({ code: "OUTCOME_UNKNOWN" });
});
