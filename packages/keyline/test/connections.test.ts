import { afterEach, beforeEach, expect, test } from "vitest";
import type { Keyline } from "keyline";
import { eventually, openQuietStage, type Stage } from "./support/stage.ts";

// What docs/guides/queue-operate.md and sizing.md say of connections to Valkey.
let stage: Stage;
let keyline: Keyline;
beforeEach(async () => {
  stage = await openQuietStage();
  keyline = stage.keyline();
  await keyline.migrate();
});
afterEach(() => stage.close());

/** What each connection does but for the stage's own, which asks. */
async function connections(): Promise<string[]> {
  const list = String(await stage.valkey.client("LIST"));
  return list
    .trim()
    .split("\n")
    .map((line) => / cmd=(\S+)/.exec(line)?.[1] ?? "")
    .filter((command) => command !== "client|list");
}

/** Resolves when there are `blocking` connections that wait and one for everything else, and no other. */
async function wait(what: string, blocking: readonly string[]): Promise<void> {
  const wanted = blocking.toSorted().join(" ");
  let seen: string[] = [];
  await eventually(`${what}: ${wanted}`, async () => {
    seen = await connections();
    const waiting = seen.filter((command) => ["blmove", "blpop", "xread", "subscribe"].includes(command));
    return waiting.toSorted().join(" ") === wanted && seen.length === waiting.length + 1;
  }).catch((error: unknown) => {
    throw new Error(`There were: ${seen.join(" ")}`, { cause: error });
  });
}

test("a Keyline has one connection, those who work one more for what they are told, and each worker one to wait", async () => {
  const queue = keyline.queue<number>("numbers");
  await queue.add(1);
  await wait("a producer", []);
  queue.work(() => undefined);
  await wait("a worker", ["blmove", "xread"]);
  queue.work(() => undefined);
  keyline.queue<number>("orders", { transactional: true }).work(() => undefined);
  await wait("three workers", ["blmove", "blmove", "blmove", "xread"]);
});

test("consumers of streams and those who follow share one connection", async () => {
  const stream = keyline.stream<number>("readings");
  stream.consume("alarms", () => undefined);
  await wait("a consumer", ["xread"]);
  stream.consume("alarms", () => undefined);
  keyline.stream<number>("reviews", { transactional: true }).consume("mailer", () => undefined);
  const stopping = new AbortController();
  const following = (async () => {
    for await (const entry of keyline.stream<number>("prices").follow({ signal: stopping.signal })) expect(entry).toBeUndefined();
  })().catch(() => undefined);
  await wait("three consumers and a follower", ["xread"]);
  keyline.queue<number>("numbers").work(() => undefined);
  await wait("and a worker", ["blmove", "xread"]);
  stopping.abort();
  await following;
});

test("all subscriptions of a process share one connection", async () => {
  keyline.channel<number>("prices", { history: {} }).subscribe(() => undefined);
  await wait("a subscription", ["subscribe"]);
  keyline.channel<number>("news").subscribe(() => undefined);
  await eventually("both are confirmed", async () => {
    const lines = String(await stage.valkey.client("LIST")).split("\n");
    return lines.some((line) => / sub=2 /.test(line));
  });
  expect(await connections()).toHaveLength(2);
});
