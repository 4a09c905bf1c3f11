import { once } from "node:events";
import type { Worker } from "keyline";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { eventually } from "../../keyline/test/support/stage.ts";
import { ended, keyline, objects, printed, start } from "./support/command.ts";
import { leaves } from "./support/leaves.ts";
import { openShop, type Shop } from "./support/shop.ts";

// Each process of the command takes a moment to start, and much longer on a busy machine.
vi.setConfig({ testTimeout: 240_000, hookTimeout: 240_000 });

let shop: Shop;
const running: { close(): Promise<unknown> }[] = [];

beforeAll(async () => {
  shop = await openShop();
  await Promise.all([prepareQueues(), prepareStream(), prepareChannel()]);
  await shop.known();
});
afterAll(async () => {
  await Promise.all(running.map((one) => one.close()));
  await shop.close();
});

async function prepareQueues(): Promise<void> {
  const emails = shop.app.queue<string>("emails", { maxAttempts: 1 });
  await emails.addMany(["back", "gone"].map((id) => ({ id, data: "no such user" })));
  await died(
    emails.work(({ data }) => {
      throw new Error(data);
    }),
    2,
  );
  await emails.add("later", { id: "later", delay: 3_600_000 });
  await emails.add("waits", { id: "waits", group: "g" });
  await emails.schedule("nightly", { cron: "0 3 * * *", data: "nightly" });
  await shop.app.queue("orders", { transactional: true }).add(1, { id: "trip" });
  const worked = shop.app.queue("worked").work(() => undefined);
  running.push({ close: () => worked.stop() });
}

async function died(worker: Worker<string>, count: number): Promise<void> {
  let left = count;
  await new Promise<void>((resolve) => worker.on("dead", () => void (--left === 0 && resolve())));
  await worker.stop();
}

async function prepareStream(): Promise<void> {
  const log = shop.app.stream<number>("log");
  const consumer = log.consume("mailer", () => Promise.reject(new Error("no mail today")), { maxAttempts: 1 });
  await eventually("it has begun", async () => (await log.groups()).length === 1);
  await log.appendMany([1, 2]);
  await eventually("both are dead", async () => (await log.group("mailer").status()).dead === 2);
  await consumer.stop();
  const other = log.consume("auditor", () => undefined);
  await eventually("it consumes", async () => (await log.groups()).length === 2);
  running.push({ close: () => other.stop() });
}

async function prepareChannel(): Promise<void> {
  const news = shop.app.channel<number>("news", { history: { size: 10 } });
  await news.list();
  const subscription = news.subscribe(() => undefined);
  await subscription.ready;
  const ann = await news.presence.enter("ann", { info: 1 });
  running.push({ close: () => ann.leave().then(() => subscription.close()) });
  await news.publish(1);
}

const something = expect.anything() as unknown;
const text = expect.any(String) as string;
const noLimits = { queue: "emails", concurrency: null, rate: null, groupConcurrency: null, groupRate: null };
const schedule = (action: string): object => ({ queue: "emails", schedule: "nightly", action });

interface Row {
  readonly args: readonly string[];
  /** Objects that are printed: all of them, with at least these fields. */
  readonly prints: readonly object[];
  readonly code?: number;
  /** What is followed needs something that happens meanwhile. */
  readonly meanwhile?: () => Promise<unknown>;
}

/** Each in the order in which they are run. */
const rows: Readonly<Record<string, Row>> = {
  status: { args: ["status"], prints: [{ healthy: something, stores: [{ store: "valkey" }, { store: "postgres" }], items: something }] },
  rates: { args: ["rates", "emails", "--minutes", "1"], prints: [{ at: something, added: something }] },
  queues: {
    args: ["queues"],
    prints: [
      { name: "emails", dead: 2 },
      { name: "orders", transactional: true },
      { name: "worked", workers: 1 },
    ],
  },
  workers: { args: ["workers", "worked"], prints: [{ pid: process.pid, jobs: [] }] },
  jobs: { args: ["jobs", "emails", "--state", "scheduled"], prints: [{ id: "later", state: "scheduled", data: "later" }] },
  job: { args: ["job", "emails", "back"], prints: [{ id: "back", state: "dead", error: "Error: no such user" }] },
  add: { args: ["add", "emails", '"added"', "--id", "added"], prints: [{ queue: "emails", id: "added", added: true }] },
  update: {
    args: ["update", "emails", "later", "--delay", "2h"],
    prints: [{ queue: "emails", id: "later", updated: true, state: "scheduled" }],
  },
  promote: { args: ["promote", "emails", "later"], prints: [{ queue: "emails", id: "later", promoted: true }] },
  signal: { args: ["signal", "orders", "trip", "approved"], prints: [{ queue: "orders", id: "trip", signal: "approved", sent: true }] },
  cancel: { args: ["cancel", "emails", "added", "--yes"], prints: [{ queue: "emails", id: "added", was: "waiting" }] },
  letters: { args: ["letters", "emails"], prints: [{ reason: "Error: no such user" }, { reason: "Error: no such user" }] },
  causes: { args: ["causes", "emails"], prints: [{ count: 2, cause: "Error: no such user" }] },
  redrive: { args: ["redrive", "emails", "back"], prints: [{ queue: "emails", count: 1 }] },
  discard: { args: ["discard", "emails", "gone", "--yes"], prints: [{ queue: "emails", count: 1 }] },
  pause: { args: ["pause", "emails", "--group", "g"], prints: [{ queue: "emails", group: "g", paused: true }] },
  resume: { args: ["resume", "emails"], prints: [{ queue: "emails", group: null, paused: false }] },
  "schedules list": { args: ["schedules", "emails"], prints: [{ name: "nightly", cron: "0 3 * * *", data: "nightly" }] },
  "schedules run": { args: ["schedules", "run", "emails", "nightly"], prints: [{ ...schedule("run"), id: text }] },
  "schedules pause": { args: ["schedules", "pause", "emails", "nightly"], prints: [schedule("pause")] },
  "schedules resume": { args: ["schedules", "resume", "emails", "nightly"], prints: [schedule("resume")] },
  "schedules remove": { args: ["schedules", "remove", "emails", "nightly", "--yes"], prints: [schedule("remove")] },
  "limits show": { args: ["limits", "emails"], prints: [noLimits] },
  "limits set": {
    args: ["limits", "set", "emails", "--concurrency", "20", "--group-rate", "100/s"],
    prints: [{ ...noLimits, concurrency: 20, groupRate: { max: 100, per: 1_000 } }],
  },
  "tail queue": {
    args: ["tail", "queue", "emails", "--limit", "1"],
    prints: [{ type: "added", id: text }],
    meanwhile: () => shop.app.queue<string>("emails", { maxAttempts: 1 }).add("seen"),
  },
  "tail channel": {
    args: ["tail", "channel", "news", "--limit", "1"],
    prints: [{ data: 2 }],
    meanwhile: () => shop.app.channel<number>("news", { history: { size: 10 } }).publish(2),
  },
  "tail stream": { args: ["tail", "stream", "log", "--after", "-", "--limit", "2"], prints: [{ data: 1 }, { data: 2 }] },
  channels: { args: ["channels"], prints: [{ name: "news", hasHistory: true, listeners: 1 }] },
  presence: { args: ["presence", "news"], prints: [{ member: "ann", info: 1 }] },
  history: { args: ["history", "news", "--limit", "1"], prints: [{ data: 2 }] },
  publish: { args: ["publish", "news", "3"], prints: [{ channel: "news", id: text, receivers: 1 }] },
  append: { args: ["append", "log", "3"], prints: [{ stream: "log", id: text, appended: true }] },
  read: { args: ["read", "log", "--limit", "1"], prints: [{ id: text, data: 1 }] },
  "groups list": { args: ["groups", "log"], prints: [{ name: "auditor" }, { name: "mailer", dead: 2 }] },
  "groups consumers": { args: ["groups", "consumers", "log", "auditor"], prints: [{ pid: process.pid }] },
  "groups letters": { args: ["groups", "letters", "log", "mailer"], prints: [{ data: 2, attempts: 1 }, { data: 1 }] },
  "groups redrive": {
    args: ["groups", "redrive", "log", "mailer", "--limit", "1"],
    prints: [{ stream: "log", group: "mailer", count: 1 }],
  },
  "groups discard": {
    args: ["groups", "discard", "log", "mailer", "--all", "--yes"],
    prints: [{ stream: "log", group: "mailer", count: 1 }],
  },
  "groups reset": {
    args: ["groups", "reset", "log", "mailer", "end", "--yes"],
    prints: [{ stream: "log", group: "mailer", place: "end" }],
  },
  "groups remove": { args: ["groups", "remove", "log", "mailer", "--yes"], prints: [{ stream: "log", group: "mailer", removed: true }] },
  audit: {
    args: ["audit", "--limit", "1"],
    prints: [{ action: "group.remove", target: "stream:log", count: 1, details: { group: "mailer" } }],
  },
  migrate: { args: ["migrate"], prints: [{ at: something, newest: something, pending: 0 }] },
  doctor: { args: ["doctor"], code: 3, prints: [{ healthy: false, warnings: [{ code: "NO_PERSISTENCE" }, { code: "FSYNC_OFF" }] }] },
};

/** A script has no fields, what is measured is told by another test, and servers go on until they are stopped. */
const others = ["completion", "bench", "dev"];

test("every command is in the table, or has a test of its own", async () => {
  expect([...Object.keys(rows), ...others].toSorted()).toEqual((await leaves()).toSorted());
});

describe("with --json these print nothing but objects", () => {
  test.each(Object.entries(rows))("%s", async (_, { args, prints, code = 0, meanwhile }) => {
    const child = start([...args, "--json"], { env: shop.env });
    const result = ended(child);
    await eventually("it has ended", async () => {
      if (child.exitCode === null) await meanwhile?.();
      return child.exitCode !== null;
    });
    const { stdout, ...rest } = await result;
    expect(rest).toEqual({ code, stderr: "" });
    expect(objects({ stdout })).toMatchObject(prints);
  });

  test("dev", async () => {
    const dev = start(["dev", "--no-migrate", "--json"], { env: { NODE_DISABLE_COMPILE_CACHE: "1" } });
    const said: string[] = [];
    dev.stderr?.setEncoding("utf8").on("data", (chunk: string) => said.push(chunk));
    expect(objects({ stdout: await printed(dev, /\n/) })).toEqual([
      { VALKEY_URL: expect.stringMatching(/^valkey:/) as string, DATABASE_URL: expect.stringMatching(/^postgresql:/) as string },
    ]);
    dev.kill("SIGINT");
    expect(await once(dev, "close")).toEqual([0, null]);
    // There is nothing to be pasted.
    expect(said.join("")).not.toContain("Paste");
  });
});

test("a field that there is not is refused with those that there are, of whatever prints one thing", async () => {
  const [unknown, known] = await Promise.all([
    keyline(["limits", "emails", "--json=queue,concurency"], { env: shop.env }),
    keyline(["pause", "worked", "--json=paused"], { env: shop.env }),
  ]);
  expect(unknown).toMatchObject({ code: 2, stdout: "", stderr: expect.stringContaining('no field "concurency"') as string });
  expect(known).toEqual({ code: 0, stdout: '{"paused":true}\n', stderr: "" });
});
