import type { Gap } from "keyline";
import { afterAll, beforeAll, expect, test } from "vitest";
import { eventually, openQuietStage, type Stage } from "../support/stage.ts";
import { startWireProxy, targetOf, type WireProxy } from "../support/wire-proxy.ts";

// A process that does not read what Valkey sends to it as a subscriber, until Valkey cuts it off (client-output-buffer-limit): what it missed
// meanwhile must come when it is back, or be announced where it is missing; and others must not notice.

const messages = 3_000;
const text = "x".repeat(10_000);

let stage: Stage;
let proxy: WireProxy;
beforeAll(async () => {
  stage = await openQuietStage();
  proxy = await startWireProxy({ target: targetOf(stage.valkeyUrl) });
  await stage.valkey.config("SET", "client-output-buffer-limit", "pubsub 1mb 256kb 1");
});
afterAll(async () => {
  await stage.close();
  await proxy.stop();
});

interface Reading {
  readonly seen: number[];
  readonly gaps: Gap[];
}

test("a subscription that Valkey cuts off because nobody reads it resumes, and nobody else notices", async () => {
  const starved = stage.keyline({ valkey: `valkey://127.0.0.1:${proxy.port}` });
  const healthy = stage.keyline();
  const readers: Reading[] = [];
  for (const [keyline, history] of [
    [starved, { size: messages + 100 }],
    [starved, { size: 500 }],
    [healthy, { size: messages + 100 }],
  ] as const) {
    const reading: Reading = { seen: [], gaps: [] };
    const channel = keyline.channel<{ seq: number }>(`c-${history.size}`, { history });
    const subscription = channel.subscribe(({ data }) => void reading.seen.push(data.seq), {
      onGap: (gap) => {
        reading.gaps.push(gap);
        reading.seen.push(-1);
      },
    });
    await subscription.ready;
    readers.push(reading);
  }
  const publisher = stage.keyline();
  const channels = [messages + 100, 500].map((size) =>
    publisher.channel<{ seq: number; text: string }>(`c-${size}`, { history: { size } }),
  );
  proxy.starveAll(true);
  for (let seq = 0; seq < messages; seq++) await Promise.all(channels.map((channel) => channel.publish({ seq, text })));
  await eventually("Valkey cut it off", async () => {
    const found = /client_output_buffer_limit_disconnections:(\d+)/.exec(await stage.valkey.info("stats"));
    return Number(found?.[1]) > 0;
  });
  const [whole, short, undisturbed] = readers;
  await eventually("who reads has everything", () => undisturbed?.seen.at(-1) === messages - 1);
  expect(undisturbed?.gaps).toEqual([]);
  expect(undisturbed?.seen).toEqual(Array.from({ length: messages }, (_, seq) => seq));
  proxy.starveAll(false);
  await eventually("it has everything", () => whole?.seen.at(-1) === messages - 1, 60_000);
  expect(whole?.gaps).toEqual([]);
  expect(whole?.seen).toEqual(undisturbed?.seen);
  // Where the history is shorter than what was missed: in order, each once, and every hole announced where it is.
  await eventually("it is up to date", () => short?.seen.at(-1) === messages - 1, 60_000);
  expect(short?.gaps.length).toBeGreaterThan(0);
  let last = -1;
  let isAnnounced = false;
  for (const seq of short?.seen ?? []) {
    if (seq !== -1) {
      if (isAnnounced) expect(seq).toBeGreaterThan(last);
      else expect(seq).toBe(last + 1);
      last = seq;
    }
    isAnnounced = seq === -1;
  }
});
