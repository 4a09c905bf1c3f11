import { beforeEach, describe, expect, test } from "vitest";
import type { ClientError } from "../../src/client-error.ts";
import type { PresenceChange } from "../../src/index.ts";
import { Clock } from "../support/clock.ts";
import { Log, openClient, openGateway, quick, reached } from "../support/client.ts";
import type { GatewayDouble } from "../support/gateway-double.ts";

let gateway: GatewayDouble;

beforeEach(async () => {
  gateway = await openGateway();
});

const as = (member: string) => openClient(gateway, { token: () => member });

describe("watching", () => {
  test("knows who was here before, and hears who joins and leaves", async () => {
    const ada = as("ada");
    await ada.presence("news").enter({ name: "Ada" });
    const changes = new Log<PresenceChange>();
    const watch = as("eve").presence("news").watch(changes.add);
    await watch.ready;
    expect([...watch.members.values()]).toEqual([{ member: "ada", info: { name: "Ada" }, since: expect.any(Number) }]);
    expect(changes.entries).toEqual([]);

    await as("bob").presence("news").enter();
    await ada.presence("news").leave();
    expect(await changes.length(2)).toEqual([
      { kind: "joined", member: "bob", info: null },
      { kind: "left", member: "ada", info: { name: "Ada" } },
    ]);
    expect([...watch.members.keys()]).toEqual(["bob"]);
  });

  test("what changed while the connection was away is told after it, each change once", async () => {
    const members = gateway.channel("news").members;
    const entry = (member: string) => ({ member, info: null, since: 1 });
    for (const name of ["ada", "bob"]) members.set(name, entry(name));
    const changes = new Log<PresenceChange>();
    const watch = as("eve").presence("news").watch(changes.add);
    await watch.ready;
    members.delete("ada");
    members.set("cid", entry("cid"));
    gateway.drop();
    expect(await changes.length(2)).toEqual([
      { kind: "left", member: "ada", info: null },
      { kind: "joined", member: "cid", info: null },
    ]);
    expect([...watch.members.keys()]).toEqual(["bob", "cid"]);
  });

  test("the gateway is watched once for all who watch here, until the last one closes", async () => {
    const live = as("eve");
    const first = live.presence("news").watch(() => expect.unreachable());
    await first.ready;
    const changes = new Log<PresenceChange>();
    const second = live.presence("news").watch(changes.add);
    await second.ready;
    first.close();
    first.close();
    await as("ada").presence("news").enter();
    expect(await changes.length(1)).toHaveLength(1);
    second.close();
    await gateway.frame("unwatch");
    expect(gateway.frames.filter(({ type }) => type === "watch")).toHaveLength(1);
    const third = live.presence("news").watch(() => undefined);
    await third.ready;
    expect([...third.members.keys()]).toEqual(["ada"]);
  });

  test("one that the gateway refuses is told so", async () => {
    gateway.intercept = ({ type, ref }, say) => {
      if (type !== "watch") return false;
      say({ type: "error", ref, code: "FORBIDDEN", message: "Not yours" });
      return true;
    };
    const watch = as("eve")
      .presence("news")
      .watch(() => undefined);
    await expect(watch.ready).rejects.toMatchObject({ code: "FORBIDDEN" });
  });

  test.each(["VALKEY_UNAVAILABLE", "RATE_LIMITED"])("one that is refused with %s is asked for again", async (code) => {
    let refusals = 0;
    gateway.intercept = ({ type, ref }, say) => {
      if (type !== "watch" || refusals++ > 2) return false;
      say({ type: "error", ref, code, message: "Later" });
      return true;
    };
    await as("eve")
      .presence("news")
      .watch(() => undefined).ready;
    expect(refusals).toBe(4);
  });
});

describe("what the gateway withdraws", () => {
  const withdraw = (what: "watch" | "enter", code: string) => gateway.sayToAll({ type: "withdrawn", what, channel: "news", code });

  test("is told as an error and given up where it is forbidden, and subscriptions do not notice", async () => {
    const live = as("ada");
    const errors = new Log<ClientError>();
    live.on("error", errors.add);
    const seen = new Log<unknown>();
    await live.subscribe("news", ({ data }) => seen.add(data)).ready;
    const presence = live.presence("news");
    await presence.enter();
    const watch = presence.watch(() => undefined);
    await watch.ready;
    withdraw("watch", "FORBIDDEN");
    withdraw("enter", "FORBIDDEN");
    gateway.publish("news", "heard");
    expect(await seen.length(1)).toEqual(["heard"]);
    expect((await errors.length(2)).map(({ code }) => code)).toEqual(["FORBIDDEN", "FORBIDDEN"]);
    expect(watch.members.size).toBe(0);
    gateway.drop();
    await gateway.frame("subscribe", { count: 2 });
    await live.subscribe("other").ready;
    expect(gateway.frames.filter(({ type }) => type === "enter" || type === "watch")).toHaveLength(2);
  });

  test("is asked for again where the gateway could not find out whether it is allowed", async () => {
    const live = as("ada");
    live.on("error", () => expect.unreachable());
    const presence = live.presence("news");
    await presence.enter({ mood: "calm" });
    const watch = presence.watch(() => undefined);
    await watch.ready;
    withdraw("watch", "POSTGRES_UNAVAILABLE");
    withdraw("enter", "POSTGRES_UNAVAILABLE");
    await gateway.frame("watch", { count: 2 });
    expect((await gateway.frame("enter", { count: 2 })).info).toEqual({ mood: "calm" });
    expect([...watch.members.keys()]).toEqual(["ada"]);
  });

  test("is nothing where it was left already", async () => {
    const live = as("ada");
    live.on("error", () => expect.unreachable());
    await live.presence("news").enter();
    await live.presence("news").leave();
    withdraw("enter", "FORBIDDEN");
    withdraw("watch", "FORBIDDEN");
    await live.subscribe("news").ready;
    expect(gateway.frames.filter(({ type }) => type === "enter")).toHaveLength(1);
  });
});

describe("being there", () => {
  test("is entered again after each new connection, with the newest info", async () => {
    const presence = as("ada").presence("news");
    await presence.enter({ mood: "calm" });
    await presence.enter({ mood: "merry" });
    gateway.drop();
    const again = await gateway.frame("enter", { count: 3 });
    expect(again.info).toEqual({ mood: "merry" });
  });

  test("waits for the connection, however long it takes", async () => {
    await gateway.down();
    const entered = as("ada").presence("news").enter();
    await gateway.up();
    await entered;
    expect([...gateway.channel("news").members.keys()]).toEqual(["ada"]);
  });

  test("ends with leave, and does not come back with the next connection", async () => {
    const live = as("ada");
    const presence = live.presence("news");
    await presence.enter();
    await presence.leave();
    gateway.drop();
    await reached(live, "offline");
    await live.subscribe("news").ready;
    expect(gateway.channel("news").members.size).toBe(0);
    expect(gateway.frames.filter(({ type }) => type === "enter")).toHaveLength(1);
  });

  test.each(["RATE_LIMITED", "TIMEOUT", "OUTCOME_UNKNOWN", "TOO_MANY_REQUESTS"])(
    "that is answered with %s is tried again until it is there",
    async (code) => {
      let refusals = 0;
      gateway.intercept = ({ type, ref }, say) => {
        if (type !== "enter" || refusals++ > 1) return false;
        say({ type: "error", ref, code, message: "Later" });
        return true;
      };
      const live = as("ada");
      live.on("error", () => expect.unreachable());
      await live.presence("news").enter();
      expect([...gateway.channel("news").members.keys()]).toEqual(["ada"]);
    },
  );

  test("is not tried again once it was left", async () => {
    gateway.intercept = ({ type, ref }, say) => {
      if (type !== "enter") return false;
      say({ type: "error", ref, code: "OUTCOME_UNKNOWN", message: "Later" });
      return true;
    };
    const clock = new Clock();
    const live = openClient(gateway, { token: () => "ada", environment: clock.within(quick) });
    const presence = live.presence("news");
    const entered = presence.enter();
    await gateway.frame("enter");
    await expect.poll(() => clock.pending.some((ms) => ms <= 100)).toBe(true);
    await Promise.all([expect(entered).rejects.toMatchObject({ code: "CLOSED" }), presence.leave()]);
    expect(clock.pending.some((ms) => ms <= 100)).toBe(false);
  });

  test("is refused to those whom no token names", async () => {
    const live = openClient(gateway);
    await expect(live.presence("news").enter()).rejects.toMatchObject({ code: "FORBIDDEN" });
  });

  test("that is refused after a new connection is told as an error, and given up", async () => {
    const live = as("ada");
    const errors = new Log<ClientError>();
    live.on("error", errors.add);
    await live.presence("news").enter();
    gateway.intercept = ({ type, ref }, say) => {
      if (type !== "enter") return false;
      say({ type: "error", ref, code: "FORBIDDEN", message: "Not any more" });
      return true;
    };
    gateway.drop();
    expect((await errors.length(1)).map(({ code }) => code)).toEqual(["FORBIDDEN"]);
  });

  test("left before it was confirmed rejects the one who waits for it", async () => {
    await gateway.down();
    const presence = as("ada").presence("news");
    const entered = presence.enter();
    const refused = expect(entered).rejects.toMatchObject({ code: "CLOSED" });
    await presence.leave();
    await refused;
  });

  test("is over when the client is closed", async () => {
    const live = as("ada");
    const presence = live.presence("news");
    await presence.enter();
    live.close();
    await gateway.open(0);
    expect(gateway.channel("news").members.size).toBe(0);
    await expect(presence.enter()).rejects.toMatchObject({ code: "CLOSED" });
    expect(() => live.presence("news")).toThrow(expect.objectContaining({ code: "CLOSED" }));
  });
});
