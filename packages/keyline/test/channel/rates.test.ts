import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { eventually, openQuietStage, type Stage } from "../support/stage.ts";

let stage: Stage;
beforeAll(async () => {
  stage = await openQuietStage();
  await stage.keyline().migrate();
});
afterAll(() => stage.close());

const keysOf = (name: string): Promise<string[]> => stage.valkey.keys(`${stage.prefix}:{${name}}:channel-rates:*`);

describe.each([
  ["with history", { history: { size: 100 } }],
  ["without history", {}],
] as const)("rates of a channel %s", (kind, options) => {
  const name = kind.replaceAll(" ", "-");

  test("count what is published, and what subscriptions get, in all processes where one has listed it", async () => {
    const [listing, publishing, receiving] = [stage.keyline(), stage.keyline(), stage.keyline()];
    await listing.channel(name, options).list();
    const got: number[] = [];
    const subscriptions = [1, 2].map(() => receiving.channel<number>(name, options).subscribe((message) => void got.push(message.data)));
    const channel = publishing.channel<number>(name, options);
    // Both learn of the list meanwhile.
    await eventually("both receive", async () => {
      await channel.publish(0);
      return got.length >= 4;
    });
    await eventually("both are counted", async () => {
      await channel.publish(1);
      const { published, received } = (await channel.rates()).total;
      return published > 0 && received > 0;
    });
    const before = (await channel.rates()).total;
    await Promise.all(subscriptions.map((subscription) => subscription.close()));
    await publishing.transaction((tx) => channel.publish(2, { tx }).then(() => undefined));
    await eventually("it is out", async () => (await stage.pool.query("SELECT FROM keyline.message")).rows.length === 0);
    await Promise.all([publishing.close(), receiving.close(), listing.close()]);
    const late = stage.keyline();
    // Where Valkey does not answer, PostgreSQL does, which has nothing of the present hour.
    await late.command("PING");
    // An hour may have begun meanwhile.
    const { total, hours, minutes } = await late.channel(name, options).rates({ hours: 2 });
    expect([hours.length, minutes.length]).toEqual([2, 0]);
    expect(total.published).toBeGreaterThan(before.published);
    expect(total.received).toBeGreaterThanOrEqual(before.received);
    // Each message went to two.
    expect(total.received % 2).toBe(0);
  });
});

test("nothing is counted of one that nobody has listed, and no message costs a command of its own", async () => {
  const keyline = stage.keyline();
  const unlisted = keyline.channel<number>("unlisted");
  const listed = keyline.channel<number>("listed");
  await listed.list();
  const commands = async (): Promise<number> => Number(/total_commands_processed:(\d+)/.exec(await stage.valkey.info("stats"))?.[1]);
  const before = await commands();
  const begun = performance.now();
  for (let index = 0; index < 200; index++) await Promise.all([unlisted.publish(index), listed.publish(index)]);
  // Beside the messages themselves: a look at the list, and a flush every five seconds for each stage's Keylines.
  const spent = (performance.now() - begun) / 1_000;
  expect((await commands()) - before).toBeLessThan(2 * 400 + 60 + 20 * spent);
  await keyline.close();
  expect(await keysOf("unlisted")).toEqual([]);
  expect((await stage.keyline().channel("listed").rates()).total.published).toBe(200);
});
