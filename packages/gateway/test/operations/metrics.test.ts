import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { openStage, type Stage } from "../../../keyline/test/support/stage.ts";
import type { StandaloneGateway } from "../../src/index.ts";
import { EventSourceReader } from "../support/event-source.ts";
import { openGateway } from "../support/gateway.ts";

const guide = readFileSync(join(import.meta.dirname, "../../../../docs/guides/metrics.md"), "utf8");

let stage: Stage;
let gateway: StandaloneGateway;
beforeAll(async () => {
  stage = await openStage();
  const keyline = stage.keyline();
  gateway = await openGateway({
    keyline,
    queues: [keyline.queue("emails")],
    channels: [{ channel: keyline.channel("news"), access: "public" }],
    streams: [{ stream: keyline.stream("reviews"), access: "public" }],
  });
});
afterAll(async () => {
  await gateway.close();
  await stage.close();
});

const scrape = async (): Promise<string> => (await fetch(`${gateway.url}/metrics`)).text();

test("the guide lists the gateway's own metrics with their types and labels, and no other", async () => {
  const reader = await EventSourceReader.open(`${gateway.url}/v1/channels/news/messages`);
  await scrape();
  const text = await scrape();
  reader.close();
  const own = [...text.matchAll(/^# TYPE (keyline_gateway_\w+) (\w+)$/gm)].map(([, name = "", type = ""]) => `${name} ${type}`);
  const rows = [...guide.matchAll(/^\| `(keyline_gateway_\w+)`\s*\| (\w+)\s*\| ([^|]*?)\s*\|/gm)];
  expect(rows.map(([, name = "", type = ""]) => `${name} ${type}`).toSorted()).toEqual(own.toSorted());
  for (const [, name = "", , labels = ""] of rows) {
    for (const [, inside = ""] of text.matchAll(new RegExp(`^${name}(?:_count)?\\{([^}]*)\\}`, "gm"))) {
      const told = [...inside.matchAll(/(\w+)="/g)].map(([, label]) => String(label));
      expect(told.toSorted(), name).toEqual(labels.split(", ").toSorted());
    }
  }
});

test("what the gateway serves is told of, and nothing else of its Keyline", async () => {
  const keyline = stage.keyline();
  await Promise.all([keyline.queue("emails").add(1), keyline.queue("other").add(1), keyline.stream("reviews").append(1)]);
  const text = await scrape();
  expect(text).toMatch(/^keyline_queue_jobs\{queue="emails",state="waiting"\} \d$/m);
  expect(text).toMatch(/^keyline_queue_added_total\{queue="emails"\} 0$/m);
  expect(text).toMatch(/^keyline_channel_published_total\{channel="news"\} 0$/m);
  expect(text).toMatch(/^keyline_stream_appended_total\{stream="reviews"\} 0$/m);
  expect(text).toMatch(/^keyline_store_up\{store="valkey"\} 1$/m);
  expect(text).not.toContain('"other"');
});
