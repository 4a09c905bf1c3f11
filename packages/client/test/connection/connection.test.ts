import { beforeEach, describe, expect, onTestFinished, test, vi } from "vitest";
import type { ClientError } from "../../src/client-error.ts";
import { surroundings, type Environment } from "../../src/runtime/environment.ts";
import { Clock } from "../support/clock.ts";
import { Log, openClient, openGateway, quick, reached } from "../support/client.ts";
import type { GatewayDouble } from "../support/gateway-double.ts";

let gateway: GatewayDouble;

beforeEach(async () => {
  gateway = await openGateway();
});

/** Surroundings whose page wakes up when the test says so. */
function sleepy(environment: Environment): { readonly environment: Environment; wake(): void } {
  let action = (): void => undefined;
  return {
    environment: {
      ...environment,
      onWake: (listener) => {
        action = listener;
        return () => undefined;
      },
    },
    wake: () => action(),
  };
}

describe("states", () => {
  test("go from connecting to online, offline when the connection is lost, and closed for good", async () => {
    const live = openClient(gateway);
    const states = new Log<string>();
    live.on("state", states.add);
    expect(live.state).toBe("connecting");
    await states.length(1);
    gateway.drop();
    await states.length(4);
    live.close();
    live.close();
    await gateway.open(0);
    expect(states.entries).toEqual(["online", "offline", "connecting", "online", "closed"]);
  });

  test("a listener hears nothing after it was taken back", async () => {
    const live = openClient(gateway);
    live.on("state", () => expect.unreachable())();
    await reached(live, "online");
  });

  test("a client that is closed while its token is fetched opens no connection", async () => {
    const token = Promise.withResolvers<string>();
    const live = openClient(gateway, { token: () => token.promise });
    live.close();
    token.resolve("ada");
    const other = openClient(gateway);
    await reached(other, "online");
    expect(gateway.connections).toBe(1);
  });
});

describe("a gateway that is away", () => {
  test("is tried again until it is back", async () => {
    await gateway.down();
    const live = openClient(gateway);
    const states = new Log<string>();
    live.on("state", states.add);
    await states.length(6);
    await gateway.up();
    await reached(live, "online");
  });

  test("or cannot even be tried, is tried again, and the error is told", async () => {
    let tries = 0;
    const openSocket = (url: string): WebSocket => {
      if (++tries === 1) throw new DOMException("The page may not", "SecurityError");
      return surroundings.openSocket(url);
    };
    const live = openClient(gateway, { environment: { ...quick, openSocket } });
    const errors = new Log<ClientError>();
    live.on("error", errors.add);
    await reached(live, "online");
    expect(errors.entries.map(({ code }) => code)).toEqual(["INVALID_OPTION"]);
  });

  test("is tried again after waits that grow, up to 20 s", async () => {
    await gateway.down();
    const clock = new Clock();
    const live = openClient(gateway, { environment: clock.within({ ...surroundings, random: () => 1 }) });
    const waits: number[] = [];
    for (let tries = 0; tries < 10; tries++) {
      await reached(live, "offline");
      const wait = clock.pending[0] ?? 0;
      waits.push(wait);
      clock.pass(wait);
      await reached(live, "connecting");
    }
    expect(waits).toEqual([100, 200, 400, 800, 1_600, 3_200, 6_400, 12_800, 20_000, 20_000]);
  });

  test("that takes connections and ends them at once meets a growing wait too, a steady one does not", async () => {
    const clock = new Clock();
    const live = openClient(gateway, { environment: clock.within({ ...surroundings, random: () => 1 }) });
    const waits: number[] = [];
    for (const onlineMs of [0, 0, 0, 5_000, 0]) {
      await reached(live, "online");
      clock.pass(onlineMs);
      gateway.drop();
      await reached(live, "offline");
      const wait = clock.pending[0] ?? 0;
      waits.push(wait);
      clock.pass(wait);
    }
    expect(waits).toEqual([100, 200, 400, 100, 200]);
  });

  test("is tried at once when the network or the page comes back", async () => {
    const clock = new Clock();
    const { environment, wake } = sleepy(clock.within({ ...surroundings, random: () => 1 }));
    const live = openClient(gateway, { environment });
    await reached(live, "online");
    gateway.drop();
    await reached(live, "offline");
    wake();
    await reached(live, "online");
    expect(gateway.connections).toBe(2);
  });

  test("that says for how long it drains is left alone for so long, and brings messages until it closes", async () => {
    const clock = new Clock();
    const live = openClient(gateway, { environment: clock.within(surroundings) });
    const seen = new Log<string>();
    await live.subscribe<string>("news", ({ data }) => seen.add(data)).ready;
    gateway.sayToAll({ type: "draining", retryMs: 1_234 });
    await reached(live, "offline");
    gateway.publish("news", "a");
    expect(await seen.length(1)).toEqual(["a"]);
    await expect(live.publish("news", "b")).rejects.toMatchObject({ code: "OFFLINE" });
    clock.pass(1_000);
    gateway.close(1012);
    await gateway.open(0);
    await expect.poll(() => clock.pending).toEqual([234]);
    clock.pass(234);
    await reached(live, "online");
  });

  test("that drains and does not close is left when its time has come", async () => {
    const clock = new Clock();
    const live = openClient(gateway, { environment: clock.within(surroundings) });
    await reached(live, "online");
    gateway.sayToAll({ type: "draining", retryMs: 1_234 });
    await reached(live, "offline");
    clock.pass(1_234);
    await expect.poll(() => clock.pending[0]).toBe(0);
    clock.pass(0);
    await reached(live, "online");
    expect(gateway.connections).toBe(2);
  });
});

describe("a connection that is dead though open", () => {
  test("is noticed by its silence and replaced", async () => {
    gateway.beatMs = 20;
    const live = openClient(gateway);
    await reached(live, "online");
    gateway.stall();
    await reached(live, "offline");
    gateway.recover();
    await reached(live, "online");
    expect(gateway.connections).toBeGreaterThan(1);
  });

  test("is noticed also when the clock of the machine is set back meanwhile", async () => {
    vi.useFakeTimers({ toFake: ["Date"] });
    onTestFinished(() => void vi.useRealTimers());
    vi.resetModules();
    const { surroundings: fresh } = await import("../../src/runtime/environment.ts");
    gateway.beatMs = 20;
    const live = openClient(gateway, { environment: fresh });
    await reached(live, "online");
    gateway.stall();
    vi.setSystemTime(Date.now() - 3_600_000);
    await reached(live, "offline");
    gateway.recover();
  });

  test("is asked when the page comes back, and replaced when it does not answer within 5 s", async () => {
    const clock = new Clock();
    const { environment, wake } = sleepy(clock.within(surroundings));
    const live = openClient(gateway, { environment });
    await reached(live, "online");
    wake();
    await gateway.frame("ping");
    await expect.poll(() => clock.pending.some((ms) => ms <= 5_000)).toBe(false);
    expect(live.state).toBe("online");
    gateway.stall();
    wake();
    clock.pass(5_000);
    await reached(live, "offline");
    gateway.recover();
  });

  test("is given up when the greeting does not come within 20 s", async () => {
    gateway.stall();
    const clock = new Clock();
    const live = openClient(gateway, { environment: clock.within(surroundings) });
    await gateway.connected(1);
    clock.pass(20_000);
    await reached(live, "offline");
    gateway.recover();
    clock.pass(100);
    await reached(live, "online");
  });
});

describe("tokens", () => {
  test("are presented before anything else", async () => {
    const live = openClient(gateway, { token: () => "ada" });
    await live.subscribe("news").ready;
    expect(gateway.frames.map(({ type }) => type)).toEqual(["token", "subscribe"]);
  });

  test("are fetched anew for each connection", async () => {
    let fetched = 0;
    const live = openClient(gateway, { token: async () => `token-${++fetched}` });
    await reached(live, "online");
    gateway.close(4401);
    expect((await gateway.frame("token", { count: 2 })).token).toBe("token-2");
    await reached(live, "online");
  });

  test("are replaced before they end, while subscriptions go on", async () => {
    gateway.lifeOf = () => 600_000;
    const clock = new Clock();
    let fetched = 0;
    const live = openClient(gateway, { token: () => `token-${++fetched}`, environment: clock.within(surroundings) });
    await live.subscribe("news").ready;
    // Ahead of the looks for beats, which would end a connection that has been silent for so long.
    gateway.sayToAll({ type: "beat" });
    for (let count = 2; count < 5; count++) {
      await expect.poll(() => clock.pending.includes(540_000)).toBe(true);
      clock.sleep(540_000);
      expect((await gateway.frame("token", { count })).token).toBe(`token-${count}`);
    }
    expect(gateway.connections).toBe(1);
    expect(gateway.frames.filter(({ type }) => type === "subscribe")).toHaveLength(1);
  });

  test("are replaced ahead of everything that waits to be sent, also when no more may wait", async () => {
    gateway.lifeOf = () => 1_200;
    gateway.framesPerSecond = 5;
    const live = openClient(gateway, { token: () => "ada" });
    await reached(live, "online");
    const refusals = new Log<ClientError>();
    for (let n = 0; n < 1_100; n++) void live.publish("news", n).catch(refusals.add);
    await gateway.frame("token", { count: 2 });
    expect(gateway.frames.filter(({ type }) => type === "publish").length).toBeLessThan(10);
    expect(new Set(refusals.entries.map(({ code }) => code))).toEqual(new Set(["TOO_MANY_REQUESTS"]));
  });

  test("whose function rejects are asked for again, with a wait, and the error is told", async () => {
    let calls = 0;
    const live = openClient(gateway, {
      token: async () => {
        if (++calls < 4) throw new Error("The sign-in is away");
        return "ada";
      },
    });
    const errors = new Log<ClientError>();
    live.on("error", errors.add);
    await reached(live, "online");
    expect(calls).toBe(4);
    expect(errors.entries.map(({ code }) => code)).toEqual(Array.from({ length: 3 }, () => "TOKEN_UNAVAILABLE"));
    expect(errors.entries[0]?.cause).toMatchObject({ message: "The sign-in is away" });
  });

  test("whose function throws or hangs are asked for again too", async () => {
    const clock = new Clock();
    let calls = 0;
    const live = openClient(gateway, {
      environment: clock.within(quick),
      token: () => {
        calls++;
        if (calls === 1) throw new Error("at once");
        return calls === 2 ? new Promise(() => undefined) : "ada";
      },
    });
    await reached(live, "offline");
    clock.pass(100);
    await expect.poll(() => calls).toBe(2);
    clock.pass(20_000);
    await reached(live, "offline");
    clock.pass(100);
    await reached(live, "online");
  });

  test("that the gateway refuses are replaced, with a wait, and the error is told", async () => {
    let fetched = 0;
    gateway.lifeOf = (token) => (token === "token-3" ? null : undefined);
    const live = openClient(gateway, { token: () => `token-${++fetched}` });
    const errors = new Log<ClientError>();
    live.on("error", errors.add);
    await reached(live, "online");
    expect(errors.entries.map(({ code }) => code)).toEqual(["TOKEN_INVALID", "TOKEN_INVALID"]);
  });

  test("that were revoked end the client and its subscriptions, and nothing is tried again", async () => {
    const live = openClient(gateway, { token: () => "ada" });
    const subscription = live.subscribe("news");
    await subscription.ready;
    gateway.close(4403);
    expect((await subscription.closed)?.code).toBe("TOKEN_REVOKED");
    expect(live.state).toBe("closed");
    expect(gateway.connections).toBe(1);
  });

  test("that are missing where the gateway wants one end the client", async () => {
    const live = openClient(gateway);
    const subscription = live.subscribe("news");
    await subscription.ready;
    gateway.close(4401);
    expect((await subscription.closed)?.code).toBe("TOKEN_MISSING");
    expect(live.state).toBe("closed");
  });
});
