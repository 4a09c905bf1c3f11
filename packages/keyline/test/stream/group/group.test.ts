import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { z } from "zod";
import { Discard, Snooze } from "keyline";
import type { Consumer } from "../../../src/stream/group/consumer.ts";
import { collected } from "../../support/collected.ts";
import { openGroups, type GroupSite } from "../../support/group-stage.ts";
import { eventually, gate, openStage, type Stage } from "../../support/stage.ts";

type N = { readonly n: number };

let stage: Stage;
let site: GroupSite;
const sites: GroupSite[] = [];
let streams = 0;
const quick = { type: "fixed", delay: 20, jitter: 0 } as const;

beforeAll(async () => {
  stage = await openStage();
});
afterEach(async () => {
  await Promise.all(sites.splice(0).map((one) => one.close()));
});
afterAll(() => stage.close());

function open(options: Parameters<typeof openGroups>[2] = {}): GroupSite {
  site = openGroups(stage, `s${streams++}`, options);
  sites.push(site);
  return site;
}

const numbers = (count: number): N[] => Array.from({ length: count }, (_, n) => ({ n }));

function collect(consumer: Consumer<N>, event: "completed" | "dead" | "retried"): N[] {
  const seen: N[] = [];
  consumer.on(event, (...[entry]) => {
    if (entry) seen.push(entry.data);
  });
  return seen;
}

test("a new group gets what is there and what is appended, in order, with id, time and place", async () => {
  const { groups, append } = open();
  const ids = await append(numbers(3));
  const got: string[] = [];
  const first = gate();
  const consumer = groups.consume<N>("mailer", (entry) => {
    got.push(entry.id);
    expect(entry).toMatchObject({
      attempt: 1,
      group: "mailer",
      stream: site.keys.events.split(/[{}]/)[1],
      at: Number(entry.id.split("-")[0]),
    });
    if (entry.data.n === 2) first.open();
  });
  const completed = collect(consumer, "completed");
  await first.opened;
  ids.push(...(await append([{ n: 3 }])));
  await eventually("all are completed", () => completed.length === 4);
  expect(got).toEqual(ids);
  expect(await groups.group("mailer").status()).toMatchObject({ lag: 0, pending: 0, retrying: 0, dead: 0, consumers: 1, lost: 0 });
});

describe("where a new group begins:", () => {
  test.each([
    ["$", [{ n: 9 }]],
    ["-", [{ n: 0 }, { n: 1 }, { n: 9 }]],
    ["id", [{ n: 1 }, { n: 9 }]],
    ["time", [{ n: 0 }, { n: 1 }, { n: 9 }]],
  ] as const)("%s", async (from, expected) => {
    const { groups, append } = open();
    const [, second = ""] = await append(numbers(2));
    const place = from === "id" ? second : from === "time" ? Date.now() - 60_000 : from;
    const consumer = groups.consume<N>("g", () => undefined, { from: place });
    const completed = collect(consumer, "completed");
    const idle = gate();
    consumer.on("idle", () => idle.open());
    await idle.opened;
    await append([{ n: 9 }]);
    await eventually("the last one came", () => completed.some(({ n }) => n === 9));
    expect(completed).toEqual(expected);
  });
});

test("entries are shared between the consumers of a group, and each group gets all", async () => {
  const { groups, append } = open();
  const ran: string[] = [];
  const other = openGroups(stage, "s" + String(streams - 1));
  sites.push(other);
  for (const [name, at] of [
    ["a", groups],
    ["a", other.groups],
    ["b", groups],
  ] as const)
    at.consume<N>(name, ({ data }) => void ran.push(`${name}${data.n}`), { concurrency: 5 });
  await append(numbers(200));
  await eventually("all ran", () => ran.length >= 400);
  expect(new Set(ran).size).toBe(400);
  expect(ran).toHaveLength(400);
});

test("an attempt that fails is made again after the backoff, and is a dead letter when attempts are used up; redriven it runs again", async () => {
  const { groups, append } = open();
  const [id = ""] = await append([{ n: 1 }]);
  const attempts: number[] = [];
  let isMended = false;
  const consumer = groups.consume<N>(
    "g",
    ({ attempt }) => {
      attempts.push(attempt);
      if (!isMended) throw new RangeError("not yet");
    },
    { maxAttempts: 3, backoff: quick },
  );
  const [completed, retried, dead] = [collect(consumer, "completed"), collect(consumer, "retried"), collect(consumer, "dead")];
  await eventually("it is dead", () => dead.length === 1);
  expect(attempts).toEqual([1, 2, 3]);
  expect(retried).toHaveLength(2);
  const group = groups.group("g");
  expect(await group.status()).toMatchObject({ dead: 1, pending: 0, retrying: 0 });
  const [letter] = await collected(group.deadLetters());
  expect(letter).toEqual({
    id,
    cursor: expect.any(String) as string,
    key: undefined,
    data: { n: 1 },
    reason: "RangeError: not yet",
    attempts: 3,
    at: expect.any(Number) as number,
  });
  isMended = true;
  expect(await group.redrive()).toBe(1);
  await eventually("it ran again", () => completed.length === 1);
  expect(attempts).toEqual([1, 2, 3, 1]);
  expect(await group.status()).toMatchObject({ dead: 0, pending: 0 });
});

test("Snooze puts off without counting, Discard gives up at once", async () => {
  const { groups, append } = open();
  await append(numbers(2));
  const attempts: number[] = [];
  let snoozes = 0;
  const consumer = groups.consume<N>(
    "g",
    ({ data, attempt }) => {
      if (data.n === 1) throw new Discard("never");
      attempts.push(attempt);
      if (snoozes++ < 3) throw new Snooze(10);
    },
    { maxAttempts: 2, concurrency: 2 },
  );
  const completed = collect(consumer, "completed");
  await eventually("it ended", () => completed.length === 1);
  expect(attempts).toEqual([1, 1, 1, 1]);
  expect(await collected(groups.group("g").deadLetters())).toMatchObject([{ data: { n: 1 }, reason: "Discard: never", attempts: 1 }]);
});

test("what is no entry, no JSON or does not fit the schema is a dead letter, and those behind it go on", async () => {
  const { groups, append, connection, keys } = open({ schema: z.object({ n: z.number() }) });
  await append([{ n: 1 }]);
  await connection.client.xadd(keys.events, "*", "foo", "bar");
  await connection.client.xadd(keys.events, "*", "data", "{");
  await connection.client.xadd(keys.events, "*", "data", '{"n":"x"}');
  await append([{ n: 2 }]);
  const consumer = groups.consume<N>("g", () => undefined);
  const completed = collect(consumer, "completed");
  await eventually("the last one is completed", () => completed.length === 2);
  await eventually("the others are dead", async () => (await groups.group("g").status()).dead === 3);
  const reasons = (await collected(groups.group("g").deadLetters())).map(({ reason }) => reason.split(":")[0]);
  expect(reasons.toSorted((a = "", b = "") => a.localeCompare(b))).toEqual(["INVALID_ELEMENT", "INVALID_ELEMENT", "VALIDATION_FAILED"]);
});

test("an attempt that takes longer than the timeout is aborted and made again", async () => {
  const { groups, append } = open();
  await append([{ n: 1 }]);
  const reasons: unknown[] = [];
  const consumer = groups.consume<N>(
    "g",
    ({ signal, attempt }) => {
      if (attempt > 1) return;
      signal.addEventListener("abort", () => reasons.push(signal.reason));
      return new Promise(() => undefined);
    },
    { timeout: 30, backoff: quick },
  );
  const completed = collect(consumer, "completed");
  await eventually("it is completed", () => completed.length === 1);
  expect(reasons).toMatchObject([{ code: "TIMEOUT" }]);
});

test("settle is refused on a plain stream", async () => {
  const { groups, append } = open();
  await append([{ n: 1 }]);
  let error: unknown;
  const consumer = groups.consume<N>("g", async (_, { settle }) => {
    error = await settle(() => Promise.resolve()).catch((reason: unknown) => reason);
  });
  await eventually("it ran", () => error !== undefined);
  expect(error).toMatchObject({ code: "NOT_TRANSACTIONAL" });
  await consumer.stop();
});

describe("a consumer that stops", () => {
  test("waits for what runs, and leaves nothing behind", async () => {
    const { groups, append, keys } = open();
    await append(numbers(10));
    const [started, finish] = [gate(), gate()];
    const consumer = groups.consume<N>("g", () => {
      started.open();
      return finish.opened;
    });
    const completed = collect(consumer, "completed");
    await started.opened;
    const stopped = consumer.stop();
    finish.open();
    await stopped;
    expect(completed).toEqual([{ n: 0 }]);
    expect(await groups.group("g").status()).toMatchObject({ consumers: 0, pending: 0, lag: 9 });
    expect(await stage.valkey.xinfo("CONSUMERS", keys.events, "g")).toEqual([]);
  });

  test("with a timeout gives back what still runs, without counting the attempt", async () => {
    const { groups, append } = open();
    await append(numbers(2));
    const started = gate();
    const reasons: unknown[] = [];
    const options = { concurrency: 2, backoff: quick };
    const consumer = groups.consume<N>(
      "g",
      ({ data, signal, attempt }) => {
        if (data.n === 0 && attempt === 1) throw new Error("so that it is handed out again");
        if (data.n === 0) started.open();
        signal.addEventListener("abort", () => reasons.push(signal.reason));
        return new Promise(() => undefined);
      },
      options,
    );
    await started.opened;
    await consumer.stop({ timeout: 10 });
    expect(reasons).toMatchObject([{ code: "STOPPED" }, { code: "STOPPED" }]);
    expect(await groups.group("g").status()).toMatchObject({ consumers: 0, pending: 2, lag: 0 });
    const attempts: Record<number, number> = {};
    const heir = groups.consume<N>("g", ({ data, attempt }) => void (attempts[data.n] = attempt), options);
    const completed = collect(heir, "completed");
    await eventually("all are completed", () => completed.length === 2);
    expect(attempts).toEqual({ 0: 2, 1: 1 });
  });
});

describe("the lag is exact", () => {
  const lag = async (): Promise<number> => (await site.groups.group("g").status()).lag;
  async function takeSome(count: number): Promise<void> {
    const consumer = site.groups.consume<N>("g", () => undefined);
    const completed = collect(consumer, "completed");
    await eventually("some are completed", () => completed.length >= count);
    await consumer.stop();
  }

  test("as the server counts it", async () => {
    const { append } = open();
    await append(numbers(3));
    await takeSome(3);
    await append(numbers(25));
    expect(await lag()).toBe(25);
  });

  test("when entries ahead of the group were trimmed", async () => {
    const { append, keys } = open();
    await append(numbers(3));
    await takeSome(3);
    await append(numbers(25));
    await stage.valkey.xtrim(keys.events, "MAXLEN", 10);
    expect(await lag()).toBe(10);
  });

  test("when the server cannot tell, because somebody deleted one", async () => {
    const { append, keys } = open();
    await append(numbers(3));
    await takeSome(3);
    const ids = await append(numbers(2_500));
    await stage.valkey.xdel(keys.events, ids[7] ?? "");
    expect(await lag()).toBe(2_499);
  });
});

test("groups() lists all, also those that somebody else made; unknown ones are refused, removed ones are gone", async () => {
  const { groups, append, keys } = open();
  await append(numbers(2));
  await stage.valkey.xgroup("CREATE", keys.events, "foreign", "0");
  const consumer = groups.consume<N>("mine", () => undefined);
  const completed = collect(consumer, "completed");
  await eventually("both are completed", () => completed.length === 2);
  const before = Date.now();
  expect(await groups.status()).toMatchObject([
    { name: "foreign", lag: 2, pending: 0, consumers: 0, lastSeenAt: undefined },
    { name: "mine", lag: 0, pending: 0, consumers: 1 },
  ]);
  expect((await groups.group("mine").status()).lastSeenAt).toBeGreaterThan(before - 60_000);
  await consumer.stop();
  await groups.group("mine").remove();
  await groups.group("foreign").remove();
  expect(await groups.status()).toEqual([]);
  await expect(groups.group("mine").status()).rejects.toMatchObject({ code: "UNKNOWN_GROUP" });
  await expect(groups.group("mine").remove()).rejects.toMatchObject({ code: "UNKNOWN_GROUP" });
  expect(await stage.valkey.keys(`${keys.groupPrefix}*`)).toEqual([]);
});

test("what trimming took before the group had it is announced once, and stays counted", async () => {
  const { groups, append, keys } = open();
  await append(numbers(1));
  const losses: unknown[] = [];
  const consumer = groups.consume<N>("g", () => undefined, { lease: 300 });
  consumer.on("lost", (loss) => losses.push(loss));
  const state = keys.group("g").state;
  await eventually("it is there", async () => (await groups.status()).length === 1);
  await stage.valkey.hset(state, { lost: 7, unreported: 5, unreported_from: "1-0", unreported_to: "5-0" });
  await eventually("it is announced", () => losses.length === 1);
  expect(losses).toEqual([{ from: "1-0", to: "5-0", entries: 5 }]);
  expect(await groups.group("g").status()).toMatchObject({ lost: 7 });
  await eventually("the next renewal came", async () => (await stage.valkey.hget(state, "unreported")) === null);
  await consumer.stop();
  expect(losses).toHaveLength(1);
});

test("options that are not known or make no sense are refused", () => {
  const { groups } = open();
  const consume = (options: object): unknown => groups.consume("g", () => undefined, options);
  expect(() => consume({ concurency: 2 })).toThrow(expect.objectContaining({ code: "INVALID_OPTION" }));
  expect(() => consume({ concurrency: 0 })).toThrow(expect.objectContaining({ code: "INVALID_OPTION" }));
  expect(() => consume({ from: "yesterday" })).toThrow(expect.objectContaining({ code: "INVALID_ID" }));
  expect(() => groups.consume("a{b}", () => undefined)).toThrow(expect.objectContaining({ code: "INVALID_NAME" }));
});
