import { afterAll, beforeAll, expect, onTestFinished, test } from "vitest";
import { openStage, type Stage } from "../../../keyline/test/support/stage.ts";
import { toSocketUrl } from "../../src/connection/socket-url.ts";
import { ClientError, type Gap } from "../../src/index.ts";
import { Live } from "../../src/live.ts";
import { Log, quick } from "../support/client.ts";
import { KillableGateway } from "../support/killable-gateway.ts";

interface Post {
  readonly by: string;
  readonly n: number;
}

type Entry = Post | Gap;

let stage: Stage;

beforeAll(async () => {
  stage = await openStage();
});
afterAll(() => stage.close());

function open(gateway: KillableGateway): Live {
  const live = new Live({ url: toSocketUrl(gateway.url), token: undefined, environment: quick });
  onTestFinished(() => live.close());
  return live;
}

/** Publishes 0, 1, 2, ... by `publish` until the returned function is called, which resolves with what is known of each. */
function publishSteadily(by: string, publish: (post: Post) => Promise<unknown>): () => Promise<Map<number, string>> {
  const outcomes = new Map<number, string>();
  let isOver = false;
  const running = (async () => {
    for (let n = 0; !isOver; n++) {
      outcomes.set(
        n,
        await publish({ by, n }).then(
          () => "published",
          (error: unknown) => (error instanceof ClientError ? error.code : String(error)),
        ),
      );
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
  })();
  return async () => {
    isOver = true;
    await running;
    return outcomes;
  };
}

/** What is wrong with a history: a message that is twice, out of order, or missing without a gap that accounts for it. */
function faultsOf(entries: readonly Entry[], by: string): string[] {
  const faults: string[] = [];
  let last: number | undefined;
  let gap: Gap | undefined;
  for (const entry of entries) {
    if ("reason" in entry) {
      gap = entry;
    } else if (entry.by === by) {
      const missing = last === undefined ? 0 : entry.n - last - 1;
      if (missing < 0) faults.push(`${entry.n} after ${last}`);
      if (missing > 0 && (!gap || (gap.missed !== undefined && gap.missed !== missing))) {
        faults.push(`${missing} missing before ${entry.n}, and ${gap ? `a gap of ${gap.missed}` : "no gap"}`);
      }
      last = entry.n;
      gap = undefined;
    }
  }
  return faults;
}

/** Resolves when a post with an `n` of at least this has come. */
async function passed(log: Log<Entry>, by: string, n: number): Promise<void> {
  for (let count = 1; ; count++) {
    const entry = (await log.length(count))[count - 1];
    if (entry && "n" in entry && entry.by === by && entry.n >= n) return;
  }
}

function follow(live: Live): { readonly log: Log<Entry>; readonly ready: Promise<void> } {
  const log = new Log<Entry>();
  const { ready } = live.subscribe<Post>("news", ({ data }) => log.add(data), { onGap: log.add });
  return { log, ready };
}

test("a gateway that is killed and restarted under its subscribers: each message once and in order, and no gap", async () => {
  const gateway = await KillableGateway.start({ stage, size: 100_000 });
  const live = open(gateway);
  const listening = follow(live);
  const iterated = new Log<Entry>();
  const iteration = open(gateway).subscribe<Post>("news", { buffer: 100_000 });
  await Promise.all([listening.ready, iteration.ready]);
  void (async () => {
    for await (const { data } of iteration) iterated.add(data);
  })();

  const news = stage.keyline().channel<Post>("news", { history: { size: 100_000 } });
  const stopDirect = publishSteadily("keyline", (post) => news.publish(post));
  const publisher = open(gateway);
  const stopOver = publishSteadily("client", (post) => publisher.publish("news", post, { timeout: 20_000 }));

  for (const signal of ["SIGKILL", "SIGTERM"] as const) {
    const before = listening.log.entries.length;
    await listening.log.length(before + 100);
    await gateway.end(signal);
    await gateway.start();
  }
  const over = await stopOver();
  const direct = await stopDirect();
  const last = await news.publish({ by: "keyline", n: direct.size });
  await Promise.all([passed(listening.log, "keyline", direct.size), passed(iterated, "keyline", direct.size)]);

  expect(last.id).toEqual(expect.any(String));
  for (const log of [listening.log, iterated]) {
    expect(log.entries.filter((entry) => "reason" in entry)).toEqual([]);
    expect(faultsOf(log.entries, "keyline")).toEqual([]);
    const counts = new Map<number, number>();
    for (const entry of log.entries) if ("n" in entry && entry.by === "client") counts.set(entry.n, (counts.get(entry.n) ?? 0) + 1);
    for (const [n, outcome] of over) {
      // What was published came once, what is unknown at most once, what was refused never.
      if (outcome === "published") expect(counts.get(n)).toBe(1);
      else if (outcome === "OUTCOME_UNKNOWN") expect(counts.get(n) ?? 0).toBeLessThanOrEqual(1);
      else expect([outcome, counts.get(n)]).toEqual([outcome, undefined]);
    }
  }
  expect([...over.values()].filter((outcome) => outcome === "published").length).toBeGreaterThan(10);
}, 120_000);

test("a gateway that is killed and restarted under the followers of a stream: what was appended, once each, in order", async () => {
  const prefixed = await openStage();
  onTestFinished(() => prefixed.close());
  const gateway = await KillableGateway.start({ stage: prefixed, size: 10 });
  const own = prefixed.keyline().stream<Post>("events");
  const listened = new Log<string>();
  const iterated = new Log<string>();
  const gaps: unknown[] = [];
  const listening = open(gateway)
    .stream<Post>("events")
    .follow(({ id }) => listened.add(id), { onGap: (gap) => gaps.push(gap) });
  const iteration = open(gateway)
    .stream<Post>("events")
    .follow({ onGap: (gap) => gaps.push(gap), buffer: 20 });
  await Promise.all([listening.ready, iteration.ready]);
  void (async () => {
    for await (const { id } of iteration) iterated.add(id);
  })();

  const appender = open(gateway).stream<Post>("events");
  const stopOver = publishSteadily("client", (post) => appender.append(post, { timeout: 20_000, idempotencyKey: String(post.n) }));
  const stopDirect = publishSteadily("keyline", (post) => own.append(post));
  for (const signal of ["SIGKILL", "SIGTERM", "SIGKILL"] as const) {
    await listened.length(listened.entries.length + 100);
    await gateway.end(signal);
    await gateway.start();
  }
  const outcomes = await stopOver();
  await stopDirect();
  await own.append({ by: "keyline", n: -1 });

  const ids: string[] = [];
  const appended: Post[] = [];
  for await (const { id, data } of own.read()) {
    ids.push(id);
    appended.push(data);
  }
  await Promise.all([listened.length(ids.length), iterated.length(ids.length)]);
  expect(listened.entries).toEqual(ids);
  expect(iterated.entries).toEqual(ids);
  expect(gaps).toEqual([]);
  // What the gateway answered is there once; of what it did not answer, some may be.
  for (const [n, outcome] of outcomes) {
    const count = appended.filter((post) => post.by === "client" && post.n === n).length;
    if (outcome === "published") expect(count).toBe(1);
    else expect(count).toBeLessThanOrEqual(outcome === "OUTCOME_UNKNOWN" ? 1 : 0);
  }
}, 120_000);

test("what a short history no longer has is announced as a gap of exactly so many, where they are missing", async () => {
  const prefixed = await openStage();
  onTestFinished(() => prefixed.close());
  const gateway = await KillableGateway.start({ stage: prefixed, size: 20 });
  const { log, ready } = follow(open(gateway));
  await ready;
  const news = prefixed.keyline().channel<Post>("news", { history: { size: 20 } });
  let n = 0;
  for (const missed of [5, 300]) {
    await news.publish({ by: "keyline", n: n++ });
    await passed(log, "keyline", n - 1);
    await gateway.end("SIGKILL");
    for (let count = 0; count < missed; count++) await news.publish({ by: "keyline", n: n++ });
    await gateway.start();
    await passed(log, "keyline", n - 1);
  }
  expect(faultsOf(log.entries, "keyline")).toEqual([]);
  // The history may keep a few more than it must.
  const gaps = log.entries.filter((entry) => "reason" in entry);
  expect(gaps).toEqual([{ channel: "news", reason: "trimmed", missed: expect.any(Number), cursor: expect.anything() }]);
  expect(gaps[0]?.missed).toBeLessThanOrEqual(280);
}, 120_000);
