import type { GroupStatus, KnownStatus } from "keyline";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { eventually, gate } from "../../keyline/test/support/stage.ts";
import { groupProblems, latelyMinutes, queueProblems } from "../src/status/problems.ts";
import { objects } from "./support/command.ts";
import { openShop, type Shop } from "./support/shop.ts";

// Each process of the command takes a moment to start, and much longer on a busy machine.
vi.setConfig({ testTimeout: 240_000, hookTimeout: 240_000 });

let shop: Shop;
/** As they are of a queue and a group at which nobody has to look. */
let status: KnownStatus;
let group: GroupStatus;
beforeAll(async () => {
  shop = await openShop();
  const [queue, stream] = [shop.app.queue<number>("idle"), shop.app.stream<number>("idle")];
  status = await queue.counts({ known: true });
  const consumer = stream.consume("readers", () => undefined);
  await eventually("it consumes", async () => (await stream.groups())[0]?.consumers === 1);
  group = (await stream.groups())[0] as GroupStatus;
  await consumer.stop();
});
afterAll(() => shop.close());

const now = 1_800_000_000_000;
const minute = 60_000;
const maxAgeMs = 5 * minute;

describe("of a queue", () => {
  const seen = { workers: 1, died: 0, now, maxAgeMs };
  test.each<[string, Partial<KnownStatus>, Partial<typeof seen> | { workers: undefined }, object[]]>([
    ["nothing waits and nobody works", {}, { workers: 0 }, []],
    ["one waits for a moment", { waiting: 1, oldestWaitingAt: now - maxAgeMs }, {}, []],
    ["some wait, and it is paused", { waiting: 2, paused: true }, { workers: 0 }, [{ code: "PAUSED", text: "it is paused, and 2 wait" }]],
    ["it is paused, and nothing waits", { paused: true }, { workers: 0 }, []],
    ["some wait, and nobody works", { waiting: 3 }, { workers: 0 }, [{ code: "NO_WORKER", text: "3 wait, and it has no worker" }]],
    ["some wait, and whether anybody works is not known", { waiting: 3 }, { workers: undefined }, []],
    [
      "one waits for longer than it may",
      { waiting: 1, oldestWaitingAt: now - maxAgeMs - 1 },
      {},
      [{ code: "OLD", text: "the oldest has waited for 5m" }],
    ],
    ["it may wait for longer", { waiting: 1, oldestWaitingAt: now - maxAgeMs - 1 }, { maxAgeMs: 10 * minute }, []],
    ["a job that was taken meanwhile is not waited for", { oldestWaitingAt: now - 10 * minute }, {}, []],
    ["since when is not known", { waiting: 1, oldestWaitingAt: undefined }, {}, []],
    ["some died lately", {}, { died: 4 }, [{ code: "DYING", text: `4 died in the last ${latelyMinutes} minutes` }]],
    [
      "all of it",
      { waiting: 1, oldestWaitingAt: now - 2 * 60 * minute - 5 * minute },
      { workers: 0, died: 1 },
      [{ code: "NO_WORKER" }, { code: "OLD", text: "the oldest has waited for 2h 5m" }, { code: "DYING" }],
    ],
  ])("%s", (_, changed, looked, problems) => {
    expect(queueProblems({ ...status, ...changed }, { ...seen, ...looked })).toMatchObject(problems);
  });
});

describe("of a group", () => {
  test.each<[string, Partial<GroupStatus>, object[]]>([
    ["it has a consumer and is behind", { lag: 5 }, []],
    ["nobody consumes and nothing is to come", { consumers: 0 }, []],
    [
      "nobody consumes and some are to come",
      { lag: 5, consumers: 0 },
      [{ code: "NO_CONSUMER", text: "group readers has 5 to come, and no consumer" }],
    ],
    ["one is in hand for a moment", { pending: 1, oldestPendingAt: now - maxAgeMs }, []],
    [
      "one is in hand for longer than it may",
      { pending: 1, oldestPendingAt: now - maxAgeMs - 1_000 },
      [{ code: "OLD", text: "an entry of group readers is not finished after 5m 1s" }],
    ],
  ])("%s", (_, changed, problems) => {
    expect(groupProblems({ ...group, ...changed }, { now, maxAgeMs })).toEqual(problems);
  });
});

test("status says each of them of real queues and groups, and ends with 3", async () => {
  const { app, run, known } = shop;
  const held = gate();
  const busy = app.queue<number>("busy");
  const busyWorker = busy.work(() => held.opened, { concurrency: 1 });
  await busy.addMany([{ data: 1 }, { data: 2 }, { data: 3 }]);
  const paused = app.queue<number>("paused");
  await paused.pause();
  await paused.add(1);
  const dying = app.queue<number>("dying", { maxAttempts: 1 });
  const dyingWorker = dying.work(() => Promise.reject(new Error("no")));
  const died = new Promise((resolve) => dyingWorker.on("dead", resolve));
  await dying.add(1);
  await died;
  await dyingWorker.stop();
  const stream = app.stream<number>("left");
  const reader = stream.consume("readers", () => undefined);
  await eventually("it consumes", async () => (await stream.groups())[0]?.consumers === 1);
  await reader.stop();
  await stream.append(1);
  const slow = app.stream<number>("slow");
  const slowReader = slow.consume("readers", () => held.opened);
  await slow.append(1);
  await eventually("it is in hand", async () => (await slow.groups())[0]?.pending === 1);
  await eventually("it is in the figures that one died", async () => (await dying.rates({ minutes: latelyMinutes })).total.dead === 1);
  await known();
  const codesAt = async (maxAge: string): Promise<Record<string, unknown>> => {
    const { code, ...ended } = await run("status", "--check", "--json=items", "--max-age", maxAge);
    expect(code).toBe(3);
    const items = (objects(ended)[0]?.["items"] ?? []) as { name: string; problems: { code: string }[] }[];
    return Object.fromEntries(items.map(({ name, problems }) => [name, problems.map((problem) => problem.code)]));
  };
  const always = { paused: ["PAUSED"], dying: ["DYING"], left: ["NO_CONSUMER"], idle: [] };
  expect(await codesAt("1d")).toEqual({ ...always, busy: [], slow: [] });
  expect(await codesAt("1ms")).toEqual({ ...always, paused: ["PAUSED", "OLD"], busy: ["OLD"], slow: ["OLD"] });
  held.open();
  await Promise.all([busyWorker.stop(), slowReader.stop()]);
});
