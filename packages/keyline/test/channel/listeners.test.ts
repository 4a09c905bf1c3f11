import { startValkeyCluster } from "@keyline/embedded";
import { Keyline } from "keyline";
import { afterAll, beforeAll, expect, test } from "vitest";
import { eventually, openQuietStage, type Stage } from "../support/stage.ts";

let stage: Stage;
beforeAll(async () => {
  stage = await openQuietStage();
});
afterAll(() => stage.close());

/** Two processes listen, one of them twice and by a pattern too. */
async function expectToCount(open: () => Keyline): Promise<void> {
  const [asking, once, twice] = [open(), open(), open()];
  const channel = asking.channel("news");
  expect(await channel.listeners()).toEqual({ connections: 0 });
  const first = once.channel("news").subscribe();
  const others = [twice.channel("news").subscribe(), twice.channel("news").subscribe(), twice.channels("n*").subscribe()];
  const elsewhere = once.channel("other").subscribe();
  await Promise.all([first, ...others, elsewhere].map((subscription) => subscription.ready));
  expect(await channel.listeners()).toEqual({ connections: 2 });
  expect(await asking.channel("other").listeners()).toEqual({ connections: 1 });
  await twice.close();
  await eventually("one has gone", async () => (await channel.listeners()).connections === 1);
  await once.close();
  await eventually("both have gone", async () => (await channel.listeners()).connections === 0);
  await asking.close();
}

test("counts the processes that listen to a channel by its name", async () => {
  await expectToCount(() => stage.keyline());
});

test("on a cluster too, on whichever node the channel is", async () => {
  const cluster = await startValkeyCluster();
  await expectToCount(() => new Keyline({ valkey: { cluster: cluster.nodes }, prefix: "kl" }));
  const keyline = new Keyline({ valkey: { cluster: cluster.nodes }, prefix: "kl" });
  const channels = Array.from({ length: 12 }, (_, index) => keyline.channel(`on-some-node-${index}`, { history: {} }));
  await Promise.all(channels.map((channel) => channel.subscribe().ready));
  expect(await Promise.all(channels.map((channel) => channel.listeners()))).toEqual(channels.map(() => ({ connections: 1 })));
  await keyline.close();
  await cluster.stop();
});

test("with the rights that the guide names", async () => {
  await stage.valkey.call("ACL", "SETUSER", "shop", "on", ">secret", "~kl:*", "&kl:*", "+@all", "-@admin", "-@dangerous", "+info");
  const keyline = new Keyline({ valkey: stage.valkeyUrl.replace("//", "//shop:secret@"), prefix: "kl" });
  await keyline.channel("news").subscribe().ready;
  expect(await keyline.channel("news").listeners()).toEqual({ connections: 1 });
  await keyline.close();
});

test("is refused by a Keyline that is closed, and where Valkey is away", async () => {
  const keyline = new Keyline({ valkey: "valkey://127.0.0.1:1", logger: { debug() {}, info() {}, warn() {}, error() {} } });
  const channel = keyline.channel("news");
  await expect(channel.listeners()).rejects.toMatchObject({ code: "VALKEY_UNAVAILABLE" });
  await keyline.close();
  await expect(channel.listeners()).rejects.toMatchObject({ code: "CLOSED" });
});
