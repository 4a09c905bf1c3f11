import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Keyline, PresenceChange } from "keyline";
import { startProcess } from "../support/processes.ts";
import { eventually, openStage, type Stage } from "../support/stage.ts";
import { startWireProxy, targetOf } from "../support/wire-proxy.ts";

let stage: Stage;
beforeAll(async () => {
  stage = await openStage();
});
afterAll(() => stage.close());

const room = (keyline: Keyline, name: string): ReturnType<Keyline["channel"]>["presence"] => keyline.channel(name).presence;
const told = (change: PresenceChange): string => `${change.member} ${change.kind}`;

describe("presence", () => {
  test("says who is here on all processes, who joins and who leaves", async () => {
    const here = room(stage.keyline(), "room");
    const there = room(stage.keyline(), "room");
    const ada = await here.enter("ada", { info: { name: "Ada" } });
    const changes: string[] = [];
    const watch = await here.watch((change) => changes.push(told(change)));
    expect([...watch.members.values()]).toMatchObject([{ member: "ada", info: { name: "Ada" } }]);
    const bob = await there.enter("bob");
    await eventually("bob joined", () => changes.length === 1);
    expect((await there.members()).map(({ member }) => member).sort()).toEqual(["ada", "bob"]);
    await ada.leave();
    await bob.leave();
    await eventually("both left", () => changes.length === 3);
    expect(changes).toEqual(["bob joined", "ada left", "bob left"]);
    expect(await here.members()).toEqual([]);
    watch.close();
  });

  test("counts a member once that is here several times, on one process and on two", async () => {
    const here = room(stage.keyline(), "twice");
    const there = room(stage.keyline(), "twice");
    const changes: string[] = [];
    const watch = await here.watch((change) => changes.push(told(change)));
    const entered = [await here.enter("ada"), await here.enter("ada"), await there.enter("ada")];
    for (const one of entered) {
      expect(await here.members()).toHaveLength(1);
      await one.leave();
      await one.leave();
    }
    await eventually("she left", () => changes.includes("ada left"));
    expect(changes).toEqual(["ada joined", "ada left"]);
    watch.close();
  });

  test("two watches are told alike, and closing one leaves the other", async () => {
    const keyline = stage.keyline();
    const here = room(keyline, "watches");
    const first: string[] = [];
    const second: string[] = [];
    const one = await here.watch((change) => first.push(told(change)));
    const two = await here.watch((change) => second.push(told(change)));
    await here.enter("ada");
    await eventually("both were told", () => first.length === 1 && second.length === 1);
    one.close();
    await here.enter("bob");
    await eventually("the other was told", () => second.length === 2);
    expect(first).toEqual(["ada joined"]);
    two.close();
  });

  test("a member whose process is killed leaves when the lease has ended", async () => {
    const watching = room(stage.keyline(), "killed");
    const changes: string[] = [];
    const watch = await watching.watch((change) => changes.push(told(change)));
    const process = startProcess("presence-process.ts", {
      valkey: stage.valkeyUrl,
      prefix: stage.prefix,
      channel: "killed",
      member: "ada",
    });
    await eventually("she joined", () => changes.includes("ada joined"));
    process.signal("SIGKILL");
    await process.exited;
    await eventually("she left", () => changes.includes("ada left"), 25_000);
    expect(await watching.members()).toEqual([]);
    watch.close();
  }, 60_000);

  test("comes back by itself after Valkey lost everything", async () => {
    const keyline = stage.keyline();
    const here = room(keyline, "flushed");
    await here.enter("ada");
    const keys = await stage.valkey.keys(`${stage.prefix}:{flushed}:*`);
    await stage.valkey.del(...keys);
    await eventually("she is here again", async () => (await here.members()).length === 1);
  });

  test("tells a leaving that the connection kept back, and enters again who is missing", async () => {
    const proxy = await startWireProxy({ target: targetOf(stage.valkeyUrl) });
    const keyline = stage.keyline({ valkey: `valkey://127.0.0.1:${proxy.port}` });
    const here = room(keyline, "cut");
    await here.enter("ada");
    const bob = await here.enter("bob");
    await proxy.refuse(true);
    proxy.cutAll();
    await bob.leave();
    await proxy.refuse(false);
    const there = room(stage.keyline(), "cut");
    const names = async (): Promise<string> => (await there.members()).map(({ member }) => member).join();
    await eventually("bob has left", async () => (await names()) === "ada");
    const [owner] = await stage.valkey.zrange(`${stage.prefix}:{cut}:presence`, 0, -1);
    await stage.valkey.srem(`${stage.prefix}:{cut}:presence:of:${owner}`, "ada");
    await stage.valkey.hdel(`${stage.prefix}:{cut}:presence:members`, "ada");
    await eventually("ada is here again", async () => (await names()) === "ada");
    await keyline.close();
    await proxy.stop();
  });

  test("refuses members without a name, and too much to say", async () => {
    const here = room(stage.keyline(), "strict");
    await expect(here.enter("")).rejects.toMatchObject({ code: "INVALID_NAME" });
    await expect(here.enter("x".repeat(300))).rejects.toMatchObject({ code: "INVALID_NAME" });
    await expect(here.enter("ada", { info: "x".repeat(5_000) })).rejects.toMatchObject({ code: "PAYLOAD_TOO_LARGE" });
    expect(await here.members()).toEqual([]);
  });

  test("closing a Keyline makes its members leave at once", async () => {
    const keyline = stage.keyline();
    await room(keyline, "closing").enter("ada");
    await keyline.close();
    expect(await room(stage.keyline(), "closing").members()).toEqual([]);
  });
});
