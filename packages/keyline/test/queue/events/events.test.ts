import { Discard, Snooze, type Job, type Keyline, type QueueEvent } from "keyline";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openEither, type EitherQueue } from "../../support/either-queue.ts";
import { EventFollower, untilTold } from "../../support/event-follower.ts";
import { eventually, gate, openQuietStage, type Stage } from "../../support/stage.ts";

let stage: Stage;
let keyline: Keyline;
beforeAll(async () => {
  stage = await openQuietStage();
  keyline = stage.keyline();
  await keyline.migrate();
});
afterAll(() => stage.close());

const told = (queue: { readonly name: string }): Promise<void> => untilTold(stage, queue);
const baseOf = (queue: { readonly name: string }): string => `${stage.prefix}:{${queue.name}}`;

describe.each([
  ["plain", false],
  ["transactional", true],
] as const)("events of a %s queue", (kind, transactional) => {
  const open = (name: string, of = keyline): EitherQueue<string> =>
    openEither<string>(of, `${kind}-${name}`, { transactional, maxAttempts: 2, backoff: { type: "fixed", delay: 10, jitter: 0 } });

  test("tell all that becomes of jobs, to every process, in order", async () => {
    const queue = open("all");
    const other = open("all", stage.keyline());
    let snoozes = 0;
    const worker = queue.work((job: Job<string>) => {
      if (job.data === "retried" && job.attempt === 1) throw new Error("not yet");
      if (job.data === "dies") throw new Error("never");
      if (job.data === "discarded") throw new Discard("no use");
      if (job.data === "snoozed" && snoozes++ === 0) throw new Snooze(10);
    });
    const followers = [new EventFollower(queue), new EventFollower(other)];
    await told(queue);
    // Adders look once a second.
    await eventually("adders know", async () => {
      await queue.add("good");
      await new Promise((resolve) => setTimeout(resolve, 100));
      return followers.every(({ events }) => events.some(({ type }) => type === "added"));
    });
    const added = await queue.addMany(["good", "retried", "dies", "discarded", "snoozed"].map((data) => ({ data })));
    const [good = "", retried = "", dies = "", discarded = "", snoozed = ""] = added.map(({ id }) => id);
    await queue.pause();
    await queue.resume();
    await queue.pause({ group: "g" });
    for (const follower of followers) {
      await eventually("all is told", () => follower.of(dies).includes("dead") && follower.of(snoozed).includes("completed"));
      await eventually("pauses are told", () => follower.order.filter((type) => type === "paused").length === 2);
      expect(follower.of(good)).toEqual(["started", "completed"]);
      expect(follower.of(retried)).toEqual(["started", "retried", "started", "completed"]);
      expect(follower.of(dies)).toEqual(["started", "retried", "started", "dead"]);
      expect(follower.of(discarded)).toEqual(["started", "dead"]);
      expect(follower.of(snoozed)).toContain("retried");
      const byId = (id: string): QueueEvent[] => follower.events.filter((event) => "id" in event && event.id === id);
      expect(byId(good).map(({ type }) => type)).toContain("added");
      expect(byId(retried).find(({ type }) => type === "retried")).toMatchObject({ attempt: 1, error: "Error: not yet", delayMs: 10 });
      expect(byId(dies).at(-1)).toMatchObject({ type: "dead", attempt: 2, error: "Error: never" });
      expect(byId(discarded).at(-1)).toMatchObject({ type: "dead", attempt: 1, error: "Discard: no use" });
      expect(byId(snoozed).find(({ type }) => type === "retried")).toMatchObject({ error: undefined });
      expect(byId(good).at(-1)).toMatchObject({ type: "completed", attempt: 1, tookMs: expect.any(Number) as number });
      expect(follower.events.filter(({ type }) => type === "paused")).toMatchObject([{ group: undefined }, { group: "g" }]);
      expect(follower.gaps).toEqual([]);
    }
    await worker.stop();
    await Promise.all(followers.map((follower) => follower.stop()));
  });

  test("tell what is cancelled, wherever it is, once", async () => {
    const queue = open("cancelled");
    const follower = new EventFollower(queue);
    await told(queue);
    const started = gate();
    const worker = queue.work(
      (job: Job<string>) =>
        new Promise((_, reject) => {
          started.open();
          job.signal.addEventListener("abort", () => reject(job.signal.reason as Error));
        }),
    );
    const running = await queue.add("runs");
    await started.opened;
    const waiting = await queue.add("waits");
    const scheduled = await queue.add("is scheduled", { delay: 60_000 });
    for (const { id } of [waiting, scheduled, running]) await queue.cancel(id);
    for (const { id } of [waiting, scheduled]) {
      await eventually(`it is told: ${id === waiting.id ? "waiting" : "scheduled"}`, () => follower.of(id).length > 0);
      expect(follower.of(id)).toEqual(["cancelled"]);
    }
    await eventually("it is told: running", () => follower.of(running.id).includes("cancelled"));
    expect(follower.of(running.id)).toEqual(["started", "cancelled"]);
    await worker.stop();
    await follower.stop();
  });

  test("go on behind a cursor, and from the beginning of what is kept", async () => {
    const queue = open("cursor");
    const first = new EventFollower(queue);
    await told(queue);
    const worker = queue.work(() => undefined);
    for (let n = 0; n < 5; n++) await queue.add(String(n), { keepResult: 60_000 });
    await eventually("all is told", () => first.events.filter(({ type }) => type === "completed").length === 5);
    await first.stop();
    const second = new EventFollower(queue, first.events[3]?.cursor);
    const third = new EventFollower(queue, "earliest");
    await eventually(
      "all is told again",
      () => second.events.length + 4 === first.events.length && third.events.length === first.events.length,
    );
    expect(second.events).toEqual(first.events.slice(4));
    expect(third.events).toEqual(first.events);
    await queue.add("another");
    await eventually("what comes is told too", () => third.of("x").length === 0 && third.events.length > first.events.length + 1);
    expect([...second.gaps, ...third.gaps]).toEqual([]);
    await worker.stop();
    await Promise.all([second.stop(), third.stop()]);
  });

  test("a worker that begins while somebody follows tells from its first job on", async () => {
    const queue = open("new-worker");
    const follower = new EventFollower(queue);
    await told(queue);
    const { id } = await queue.add("x");
    const worker = open("new-worker", stage.keyline()).work(() => undefined);
    await eventually("it is told", () => follower.of(id).includes("completed"));
    expect(follower.of(id)).toEqual(["started", "completed"]);
    await worker.stop();
    await follower.stop();
  });

  test("begin when all workers know: nothing of what comes then is missing", async () => {
    const queue = open("aware");
    const workers = [open("aware", stage.keyline()), open("aware", stage.keyline())].map((one) => one.work(() => undefined));
    await eventually("they work", async () => (await stage.valkey.zcard(`${baseOf(queue)}:workers`)) === 2);
    const follower = new EventFollower(queue);
    await told(queue);
    const added = await queue.addMany(Array.from({ length: 200 }, (_, n) => ({ data: String(n) })));
    await eventually("all ends are told", () => follower.events.filter(({ type }) => type === "completed").length === 200);
    for (const { id } of added) expect(follower.of(id)).toEqual(["started", "completed"]);
    await Promise.all(workers.map((worker) => worker.stop()));
    await follower.stop();
  });

  test("do not begin before each worker knows, or its lease has ended", async () => {
    const queue = open("unaware");
    const [seconds] = await stage.valkey.time();
    const leaseEnd = (Number(seconds) + 2) * 1_000;
    await stage.valkey.zadd(`${baseOf(queue)}:workers`, leaseEnd, "one that hears nothing");
    const follower = new EventFollower(queue);
    await told(queue);
    const [now] = await stage.valkey.time();
    expect((Number(now) + 1) * 1_000).toBeGreaterThan(leaseEnd);
    await follower.stop();
  });

  test("that nobody followed are announced as a gap", async () => {
    const queue = open("unwatched");
    const worker = queue.work(() => undefined);
    const first = new EventFollower(queue);
    await told(queue);
    await queue.add("seen");
    await eventually("it is told", () => first.order.includes("completed"));
    await first.stop();
    // As it is when half a minute has passed.
    await stage.valkey.del(`${baseOf(queue)}:tracked`);
    const { id } = await queue.add("unseen", { keepResult: 60_000 });
    await queue.waitFor(id);
    const second = new EventFollower(queue, first.events.at(-1)?.cursor);
    await eventually("the gap is announced", () => second.gaps.length > 0);
    await told(queue);
    const next = await queue.add("seen again");
    await eventually("what comes is told", () => second.of(next.id).includes("completed"));
    expect(second.gaps).toMatchObject([{ queue: queue.name, reason: "unwatched", missed: undefined }]);
    expect(second.of(id)).toEqual([]);
    await worker.stop();
    await second.stop();
  });

  test("that are not kept any more are announced with their number", async () => {
    const queue = open("trimmed");
    const worker = queue.work(() => undefined);
    const first = new EventFollower(queue);
    await told(queue);
    await queue.addMany(Array.from({ length: 10 }, (_, n) => ({ data: String(n) })));
    await eventually("all is told", () => first.events.filter(({ type }) => type === "completed").length === 10);
    await worker.stop();
    await stage.valkey.xtrim(`${baseOf(queue)}:feed`, "MAXLEN", 3);
    const second = new EventFollower(queue, first.events[4]?.cursor);
    await eventually("the rest is told", () => second.events.length === 3);
    expect(second.order[0]).toBe("gap: trimmed");
    expect(second.gaps).toMatchObject([{ missed: first.events.length - 5 - 3 }]);
    expect(second.events).toEqual(first.events.slice(-3));
    const third = new EventFollower(queue, second.gaps[0]?.cursor);
    await eventually("it goes on behind the gap", () => third.events.length === 3);
    expect(third.gaps).toEqual([]);
    await Promise.all([first.stop(), second.stop(), third.stop()]);
  });

  test("go on after Valkey has lost everything, behind a gap", async () => {
    const queue = open("lost");
    const follower = new EventFollower(queue);
    await told(queue);
    const worker = queue.work(() => undefined);
    const { id } = await queue.add("before");
    await eventually("it is told", () => follower.of(id).includes("completed"));
    await stage.valkey.flushall();
    await eventually("what comes is told again", async () => {
      const next = await queue.add("after");
      await new Promise((resolve) => setTimeout(resolve, 200));
      return follower.of(next.id).includes("completed");
    });
    expect(follower.gaps.length).toBeGreaterThan(0);
    expect(follower.gaps[0]).toMatchObject({ reason: "lost" });
    await worker.stop();
    await follower.stop();
  }, 60_000);

  test("of another server process come behind a gap", async () => {
    const queue = open("restarted");
    const follower = new EventFollower(queue);
    await told(queue);
    const worker = queue.work(() => undefined);
    const before = await queue.add("before");
    await eventually("it is told", () => follower.of(before.id).includes("completed"));
    // As it is when a replica has taken over.
    await stage.valkey.hset(`${baseOf(queue)}:feed:state`, "server", "another");
    const after = await queue.add("after");
    await eventually("it is told", () => follower.of(after.id).includes("completed"));
    expect(follower.gaps).toMatchObject([{ reason: "restarted" }]);
    await worker.stop();
    await follower.stop();
  });

  test("nothing is written while nobody follows", async () => {
    const own = await openQuietStage();
    const keyline = own.keyline();
    await keyline.migrate();
    const queue = open("nobody", keyline);
    const worker = queue.work((job: Job<string>) => {
      void job.progress({ done: 1 });
      if (job.attempt === 1) throw new Error("once more");
    });
    const base = `${own.prefix}:{${queue.name}}`;
    const signals = (): Promise<number> => own.valkey.xlen(`${base}:signals`);
    const ended = (): Promise<void> =>
      eventually("all have ended", async () => {
        const { waiting, running, scheduled } = await queue.counts();
        return waiting + running + scheduled === 0;
      });
    // The first use looks which commands there are rights for.
    await queue.add("first");
    await ended();
    const before = await signals();
    await own.valkey.config("RESETSTAT");
    await queue.addMany(Array.from({ length: 50 }, (_, n) => ({ data: String(n) })));
    await ended();
    const calls = Number(/cmdstat_xadd:calls=(\d+)/.exec(await own.valkey.info("commandstats"))?.[1] ?? 0);
    // Signals to workers are the only entries, if any.
    expect(calls).toBe((await signals()) - before);
    const keys = await own.valkey.keys(`${base}:*`);
    expect(keys.filter((key) => /:(events|ends|tracked|outcome|progress|aware)/.test(key))).toEqual([]);
    await worker.stop();
    await own.close();
  });

  test("an iteration ends with its signal, its Keyline and at once", async () => {
    const own = stage.keyline();
    const queue = open("ends", own);
    const ending = new AbortController();
    const iteration = queue.events({ signal: ending.signal });
    const next = iteration.next();
    ending.abort();
    expect(await next).toEqual({ done: true, value: undefined });
    const left = queue.events();
    const waiting = left.next();
    await left.return?.();
    expect(await waiting).toEqual({ done: true, value: undefined });
    const closed = queue.events().next();
    await told(queue);
    await own.close();
    expect(await closed).toEqual({ done: true, value: undefined });
    expect(() => queue.events()).toThrow("closed");
  });

  test("refuse what is no cursor", () => {
    const queue = open("refused");
    expect(() => queue.events({ since: "yesterday" })).toThrow("no cursor");
    expect(() => queue.events({ sinse: "x" } as object)).toThrow("sinse");
  });
});
