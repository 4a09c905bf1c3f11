import { startValkey } from "@keyline/embedded";
import type { Keyline, Queue } from "keyline";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openEither } from "../../support/either-queue.ts";
import { eventually, openStage, type Stage } from "../../support/stage.ts";

let stage: Stage;
let keyline: Keyline;
beforeAll(async () => {
  stage = await openStage();
  keyline = stage.keyline();
  await keyline.migrate();
});
afterAll(() => stage.close());

const oldest = async (queue: Queue<string, string, boolean>): Promise<number> => (await queue.counts()).oldestWaitingAt ?? NaN;
/** By the server, whose clock says when jobs are ready. */
const serverMs = async (): Promise<number> => {
  const [seconds, micros] = await stage.valkey.time();
  return Number(seconds) * 1_000 + Math.floor(Number(micros) / 1_000);
};
/** A while that shows in a time: the clock is waited for, as time is what is tested. */
const pass = async (ms: number): Promise<void> => {
  const begun = await serverMs();
  await eventually("time passes", async () => (await serverMs()) >= begun + ms);
};

describe.each([
  ["plain", false],
  ["transactional", true],
] as const)("the oldest job of a %s queue waits since it is ready", (kind, transactional) => {
  const open = (name: string, rules = {}): Queue<string, string, boolean> =>
    openEither<string>(keyline, `${kind}-${name}`, { transactional, ...rules });

  test("and not since it was added, when it was delayed", async () => {
    const queue = open("delayed");
    await queue.pause();
    const added = Date.now();
    await queue.add("x", { delay: 300 });
    const worker = queue.work(() => undefined);
    await eventually("it is due", async () => (await queue.counts()).waiting === 1);
    expect((await oldest(queue)) - added).toBeGreaterThan(250);
    await worker.stop();
  });

  test("when an attempt has failed, and when it was put back as a dead letter", async () => {
    const queue = open("tried", { maxAttempts: 2, backoff: { type: "fixed", delay: 200, jitter: 0 } });
    // Paused before the first attempt ends: a busy machine would let the second one begin.
    let isFirst = true;
    const worker = queue.work(async () => {
      if (isFirst) await queue.pause();
      isFirst = false;
      throw new Error("never");
    });
    const added = Date.now();
    await queue.add("x");
    await eventually("it has failed", async () => (await queue.counts()).scheduled === 1);
    await eventually("it is due again", async () => (await queue.counts()).waiting === 1);
    expect((await oldest(queue)) - added).toBeGreaterThan(150);
    await queue.resume();
    await eventually("it is dead", async () => (await queue.counts()).dead === 1);
    await worker.stop();
    await pass(300);
    const redriven = Math.min(Date.now(), await serverMs());
    expect(await queue.redrive({ all: true })).toBe(1);
    await eventually("it waits", async () => (await queue.counts()).waiting === 1);
    expect(await oldest(queue)).toBeGreaterThan(redriven - 100);
    // Once more, as a letter that was ready before is.
    const again = queue.work(() => Promise.reject(new Error("never")));
    await eventually("it is dead again", async () => (await queue.counts()).dead === 1);
    await again.stop();
    await pass(300);
    const later = Math.min(Date.now(), await serverMs());
    await queue.redrive({ all: true });
    await eventually("it waits", async () => (await queue.counts()).waiting === 1);
    expect(await oldest(queue)).toBeGreaterThan(later - 100);
  });

  test("when it was made due by hand", async () => {
    const queue = open("promoted");
    const { id } = await queue.add("x", { delay: 3_600_000 });
    await pass(300);
    const promoted = Math.min(Date.now(), await serverMs());
    await queue.promote(id);
    await eventually("it waits", async () => (await queue.counts()).waiting === 1);
    const since = await oldest(queue);
    expect(since).toBeGreaterThan(promoted - 100);
    expect(since).toBeLessThan(promoted + 600_000);
  });

  test("and the time that it waited is counted from there", async () => {
    const queue = open("counted");
    const working = stage.keyline();
    const worker = openEither<string>(working, queue.name, { transactional }).work(() => undefined);
    const completed: string[] = [];
    worker.on("completed", ({ id }) => completed.push(id));
    // Added an hour ago, and due in a moment.
    if (transactional) {
      await stage.pool.query(
        `INSERT INTO keyline.job (queue, id, data, state, added_at, due_at)
          VALUES ($1, 'old', '"x"', 'scheduled', now() - interval '1 hour', now() + interval '300 milliseconds')`,
        [queue.name],
      );
    } else {
      const element = JSON.stringify({ id: "old", at: Date.now() - 3_600_000, data: "x" });
      await stage.valkey.zadd(`${stage.prefix}:{${queue.name}}:scheduled`, (await serverMs()) + 300, element);
    }
    await eventually("it has run", () => completed.length === 1);
    await worker.stop();
    await working.close();
    const { wait } = (await queue.rates()).total;
    expect(wait.count).toBe(1);
    expect(wait.p99).toBeLessThan(1_000_000);
  });
});

test("the counts of a transactional queue are those of its rows while Valkey is away, and a plain one's are not known", async () => {
  const valkey = await startValkey();
  const own = stage.keyline({ valkey: valkey.url });
  const queue = own.queue<string>("away", { transactional: true });
  await queue.addMany([{ data: "a" }, { data: "b" }, { data: "later", delay: 3_600_000 }]);
  await eventually("all are there", async () => (await queue.counts()).waiting === 2);
  const there = await queue.counts();
  expect(there).toMatchObject({ waiting: 2, scheduled: 1, isFromRows: false });
  await queue.pause();
  await valkey.stop();
  const away = await queue.counts();
  expect(away).toMatchObject({ waiting: 2, running: 0, scheduled: 1, blocked: 0, parked: 0, dead: 0, paused: true, isFromRows: true });
  expect(Math.abs((away.oldestWaitingAt ?? 0) - (there.oldestWaitingAt ?? 0))).toBeLessThan(60_000);
  await queue.add("c");
  await stage.pool.query("UPDATE keyline.job SET state = 'dead' WHERE queue = 'away' AND data::text = '\"a\"'");
  expect(await queue.counts()).toMatchObject({ waiting: 2, dead: 1 });
  await expect(own.queue("plain-away").counts()).rejects.toMatchObject({ code: "VALKEY_UNAVAILABLE" });
  await own.close();
}, 60_000);
