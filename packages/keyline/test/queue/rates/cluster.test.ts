import { startValkeyCluster } from "@keyline/embedded";
import { Keyline } from "keyline";
import { expect, test } from "vitest";
import { eventually, openQuietStage } from "../../support/stage.ts";

/** Does a little of each, and reads what was counted. */
async function useAll(open: () => Keyline): Promise<void> {
  const keyline = open();
  const queue = keyline.queue<number>("numbers");
  const worker = queue.work(() => undefined);
  const seen: number[] = [];
  worker.on("completed", ({ data }) => seen.push(data));
  await queue.addMany([{ data: 1 }, { data: 2 }]);
  await eventually("both ran", () => seen.length === 2);
  await worker.stop();
  await keyline.stream<number>("events").append(1);
  const channel = keyline.channel<number>("news");
  await channel.list();
  await channel.publish(1);
  await keyline.close();
  const reading = open();
  expect((await reading.queue("numbers").rates({ hours: 2 })).total).toMatchObject({ added: 2, completed: 2 });
  expect((await reading.stream("events").rates()).total).toMatchObject({ appended: 1 });
  expect((await reading.channel("news").rates({ minutes: 120 })).total).toMatchObject({ published: 1 });
  await reading.close();
}

test("rates work on a cluster", async () => {
  const cluster = await startValkeyCluster();
  await useAll(() => new Keyline({ valkey: { cluster: cluster.nodes }, prefix: "kl" }));
  await cluster.stop();
});

test("and with the rights that the guide names", async () => {
  const stage = await openQuietStage();
  await stage.valkey.call("ACL", "SETUSER", "shop", "on", ">secret", "~kl:*", "&kl:*", "+@all", "-@admin", "-@dangerous", "+info");
  await useAll(() => new Keyline({ valkey: stage.valkeyUrl.replace("//", "//shop:secret@"), prefix: "kl" }));

  expect((await stage.valkey.keys("kl:{numbers}:rates:*")).length).toBeGreaterThan(1);
  await stage.close();
});
