import type { Gap, Message } from "keyline";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { z } from "zod";
import { eventually, openStage, type Stage } from "../support/stage.ts";

let stage: Stage;

beforeAll(async () => {
  stage = await openStage();
});

afterAll(() => stage.close());

async function take<Data>(subscription: AsyncIterable<Message<Data>>, count: number): Promise<Message<Data>[]> {
  const messages: Message<Data>[] = [];
  for await (const message of subscription) {
    messages.push(message);
    if (messages.length === count) break;
  }
  return messages;
}

describe("a channel", () => {
  test("hands a message to every subscriber, by iteration and by listener, on one subscription of the server", async () => {
    const here = stage.keyline();
    const elsewhere = stage.keyline();
    const news = here.channel<{ text: string }>("news");
    const heard: string[] = [];
    const listening = news.subscribe((message) => void heard.push(message.data.text));
    const first = news.subscribe();
    const second = news.subscribe();
    await Promise.all([listening.ready, first.ready, second.ready]);
    const { id, receivers } = await elsewhere.channel<{ text: string }>("news").publish({ text: "hello" });
    expect(receivers).toBe(1);
    const [[one], [two]] = await Promise.all([take(first, 1), take(second, 1)]);
    expect(one).toMatchObject({ id, channel: "news", data: { text: "hello" }, cursor: undefined });
    expect(two).toBe(one);
    expect(heard).toEqual(["hello"]);
    expect(await stage.valkey.pubsub("NUMSUB", `${stage.prefix}:{news}:live`)).toEqual([`${stage.prefix}:{news}:live`, 1]);
    await listening.close();
  });

  test("gives the schema's output to receivers, and refuses what it rejects", async () => {
    const keyline = stage.keyline();
    const typed = keyline.channel("typed", { schema: z.object({ size: z.number().default(3) }) });
    await expect(typed.publish({ size: "large" } as never)).rejects.toMatchObject({ code: "VALIDATION_FAILED" });
    const subscription = typed.subscribe();
    await subscription.ready;
    await typed.publish({});
    await stage.valkey.publish(`${stage.prefix}:{typed}:live`, '{"data":{"size":"huge"}}');
    await stage.valkey.publish(`${stage.prefix}:{typed}:live`, "no JSON");
    await stage.valkey.publish(`${stage.prefix}:{typed}:live`, '{"data":{"size":9}}');
    const messages = await take(subscription, 2);
    expect(messages.map((message) => message.data)).toEqual([{ size: 3 }, { size: 9 }]);
    expect(stage.log.filter((line) => line.message.includes("skipped"))).toHaveLength(2);
  });
});

describe("a channel with history", () => {
  test("replays what came after a cursor, then goes on live", async () => {
    const keyline = stage.keyline();
    const kept = keyline.channel<number>("kept", { history: { size: 100 } });
    const cursors: string[] = [];
    for (let number = 0; number < 10; number++) cursors.push((await kept.publish(number)).cursor ?? "");
    const gaps: Gap[] = [];
    const subscription = kept.subscribe({ since: cursors[4], onGap: (gap) => gaps.push(gap) });
    await subscription.ready;
    await kept.publish(10);
    expect((await take(subscription, 6)).map((message) => message.data)).toEqual([5, 6, 7, 8, 9, 10]);
    expect(gaps).toEqual([]);
    const all = kept.subscribe({ since: "earliest" });
    expect((await take(all, 11)).map((message) => message.data)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
  });

  test("announces how many were trimmed", async () => {
    const keyline = stage.keyline();
    const short = keyline.channel<number>("short", { history: { size: 5 } });
    const { cursor } = await short.publish(0);
    for (let number = 1; number <= 20; number++) await short.publish(number);
    const gaps: Gap[] = [];
    const subscription = short.subscribe({ since: cursor, onGap: (gap) => gaps.push(gap) });
    expect((await take(subscription, 5)).map((message) => message.data)).toEqual([16, 17, 18, 19, 20]);
    expect(gaps).toEqual([{ channel: "short", reason: "trimmed", missed: 15, cursor: expect.any(String) as string }]);
  });

  test("announces that the history was lost, and goes on with what there is", async () => {
    const keyline = stage.keyline();
    const lost = keyline.channel<number>("lost", { history: {} });
    const { cursor } = await lost.publish(0);
    const gaps: Gap[] = [];
    const live: number[] = [];
    const subscription = lost.subscribe((message) => void live.push(message.data), { onGap: (gap) => gaps.push(gap) });
    await subscription.ready;
    await stage.valkey.del(`${stage.prefix}:{lost}:history`, `${stage.prefix}:{lost}:history-state`);
    await lost.publish(1);
    await lost.publish(2);
    await eventually("both came", () => live.length === 2);
    expect(live).toEqual([1, 2]);
    expect(gaps.map((gap) => gap.reason)).toEqual(["lost"]);
    const late: Gap[] = [];
    const resumed = lost.subscribe({ since: cursor, onGap: (gap) => late.push(gap) });
    expect((await take(resumed, 2)).map((message) => message.data)).toEqual([1, 2]);
    expect(late.map((gap) => gap.reason)).toEqual(["lost"]);
    await subscription.close();
  });
});
