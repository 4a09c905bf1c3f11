import type { Keyline } from "keyline";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { FigureTable } from "../../../src/postgres/figures/figure-table.ts";
import { HourKeeper } from "../../../src/figures/hour-keeper.ts";
import { Database } from "../../../src/postgres/client/database.ts";
import { silentLogger } from "../../../src/runtime/logger.ts";
import { toTarget } from "../../../src/valkey/client/options.ts";
import { ValkeyConnection } from "../../../src/valkey/client/connection.ts";
import { FigureLog, hourMs, keptHoursMs } from "../../../src/valkey/figures/figure-log.ts";
import { openEither } from "../../support/either-queue.ts";
import { eventually, gate, openQuietStage, type Stage } from "../../support/stage.ts";

let stage: Stage;
let keyline: Keyline;
beforeAll(async () => {
  stage = await openQuietStage();
  keyline = stage.keyline();
  await keyline.migrate();
});
afterAll(() => stage.close());

const base = (name: string): string => `${stage.prefix}:{${name}}:rates:`;
const serverMs = async (): Promise<number> => Number((await stage.valkey.time())[0]) * 1_000;

describe.each([
  ["plain", false],
  ["transactional", true],
] as const)("rates of a %s queue", (kind, transactional) => {
  test("have hours too, what was tried again and cancelled, and how much there was", async () => {
    const name = `${kind}-hours`;
    const rules = { transactional, maxAttempts: 2, backoff: { type: "fixed", delay: 1, jitter: 0 } } as const;
    const queue = openEither<string>(stage.keyline(), name, rules);
    const working = stage.keyline();
    const hold = gate();
    const worker = openEither<string>(working, name, rules).work(async (job) => {
      if (job.data === "dies") throw new Error("never");
      await hold.opened;
    });
    await queue.add("dies");
    await eventually("it is dead", async () => (await queue.counts()).dead === 1);
    await queue.addMany([{ data: "runs" }, { data: "waits" }]);
    const { id } = await queue.add("later", { delay: 3_600_000 });
    await queue.add("later too", { delay: 3_600_000 });
    await queue.cancel(id);
    await eventually("one runs", async () => (await queue.counts()).running > 0);
    // The minute has had its look by now, while there was less: another one is taken in its place.
    await stage.valkey.del(...(await stage.valkey.keys(`${base(name)}depth:*`)), `${base(name)}nothing`);
    const other = stage.keyline();
    const idle = openEither<string>(other, name, rules).work(() => hold.opened, { concurrency: 1 });
    await eventually("somebody has looked", async () =>
      (await queue.rates({ minutes: 2 })).minutes.some(({ depth }) => depth !== undefined),
    );
    const { minutes } = await queue.rates({ minutes: 2 });
    const sample = minutes.findLast(({ depth }) => depth !== undefined);
    const { waiting = 0, running = 0, ...depth } = sample?.depth ?? {};
    expect(depth).toEqual({ scheduled: 1, blocked: 0, dead: 1 });
    expect(waiting + running).toBe(2);
    hold.open();
    await Promise.all([worker.stop(), idle.stop()]);
    await Promise.all([working.close(), other.close()]);
    await queue.add("another");
    await eventually("it is written", async () => (await queue.rates({ hours: 2 })).total.added === 6);
    const { hours, total, minutes: none } = await queue.rates({ hours: 2 });
    expect(none).toEqual([]);
    expect(hours).toHaveLength(2);
    expect((hours[1]?.at ?? 0) % hourMs).toBe(0);
    expect(total).toMatchObject({ added: 6, completed: 2, failed: 2, retried: 1, dead: 1, cancelled: 1 });
    expect(hours.findLast((hour) => hour.depth)?.depth).toMatchObject({ dead: 1, scheduled: 1 });
  });
});

test("are refused with both, and beyond what is kept", async () => {
  const queue = keyline.queue("refused");
  for (const options of [{ minutes: 1, hours: 1 }, { hours: 0 }, { hours: 2_161 }, { minutes: 2_881 }]) {
    await expect(queue.rates(options)).rejects.toMatchObject({ code: "INVALID_OPTION" });
  }
  expect((await queue.rates({ hours: 2_160 })).hours).toHaveLength(2_160);
});

test("expire: minutes after two days, hours after ninety", async () => {
  const queue = keyline.queue("expiring");
  await queue.add(1);
  await eventually("it is written", async () => (await queue.rates()).total.added === 1);
  const lives = async (pattern: string): Promise<number[]> => {
    const keys = await stage.valkey.keys(base("expiring") + pattern);
    return Promise.all(keys.map((key) => stage.valkey.pttl(key)));
  };
  for (const ms of await lives("[0-9]*")) expect(ms).toBeGreaterThan(47 * hourMs);
  for (const ms of await lives("depth:*")) expect(ms).toBeGreaterThan(47 * hourMs);
  for (const ms of await lives("hour:*")) expect(ms).toBeGreaterThan(2_160 * hourMs);
  expect(await lives("hour:*")).not.toEqual([]);
  expect((await lives("*")).every((ms) => ms > 0)).toBe(true);
});

test("of an idle queue nothing is written", async () => {
  const queue = keyline.queue("idle");
  const monitor = await stage.valkey.monitor();
  let looks = 0;
  monitor.on("monitor", (_time: string, values: string[]) => {
    if (values.includes(`${stage.prefix}:{idle}:workers`) && values.includes(String(keptHoursMs))) looks++;
  });
  const worker = queue.work(() => undefined);
  await eventually("it has looked", () => looks > 0);
  await worker.stop();
  monitor.disconnect();
  expect(await stage.valkey.keys(`${base("idle")}*`)).toEqual([]);
});

test("of which hours there is something is known: nobody asks for those of ninety days", async () => {
  const queue = keyline.queue("few-hours");
  await queue.add(1);
  await eventually("it is written", async () => (await queue.rates()).total.added === 1);
  const present = Math.floor((await serverMs()) / hourMs);
  expect(Number((await stage.valkey.zrange(`${base("few-hours")}hours`, -1, -1))[0])).toBeGreaterThanOrEqual(present - 1);
  const monitor = await stage.valkey.monitor();
  let reads = 0;
  monitor.on("monitor", (_time: string, [name = "", key = ""]: string[]) => {
    if (name.toLowerCase() === "hgetall" && key.startsWith(base("few-hours"))) reads++;
  });
  expect((await queue.rates({ hours: 2_160 })).total.added).toBe(1);
  const connection = new ValkeyConnection(toTarget(stage.valkeyUrl), { logger: silentLogger, silenceMs: 5_000 });
  const database = new Database(stage.databaseUrl, silentLogger);
  await connection.ensureReady(5_000);
  const keeper = new HourKeeper(
    new FigureLog(connection, base("few-hours")),
    new FigureTable(database, "queue", "few-hours"),
    silentLogger,
  );
  await keeper.keep(await serverMs());
  await stage.valkey.ping("seen");
  await eventually("the monitor has heard of it all", () => reads > 0);
  expect(reads).toBeLessThanOrEqual(4);
  await keeper.stop();
  monitor.disconnect();
  connection.close();
  await database.close();
});

test("hours that are over are kept in PostgreSQL, and come back when Valkey was emptied", async () => {
  const now = await serverMs();
  const present = Math.floor(now / hourMs);
  const connection = new ValkeyConnection(toTarget(stage.valkeyUrl), { logger: silentLogger, silenceMs: 5_000 });
  const database = new Database(stage.databaseUrl, silentLogger);
  await connection.ensureReady(5_000);
  for (const [hour, added] of [
    [present - 3, 7],
    [present - 1, 5],
    [present, 2],
  ] as const) {
    await stage.valkey.hset(`${base("kept")}hour:${hour}`, { added, r3: 1, depth: "4 1 0 0 2 1500" });
    await stage.valkey.zadd(`${base("kept")}hours`, hour, hour);
  }
  const table = new FigureTable(database, "queue", "kept");
  const keepers = [1, 2].map(() => new HourKeeper(new FigureLog(connection, base("kept")), table, silentLogger));
  await Promise.all(keepers.map((keeper) => keeper.keep(now)));
  // Once more: what is kept stays as it is.
  await stage.valkey.hset(`${base("kept")}hour:${present - 1}`, { added: 6 });
  await keepers[0]?.keep(now);
  await stage.valkey.flushall();
  const queue = keyline.queue("kept");
  const { hours, total } = await queue.rates({ hours: 5 });
  expect(hours.map(({ added }) => added)).toEqual([0, 7, 0, 5, 0]);
  expect(total.run.count).toBe(2);
  expect(hours[3]).toMatchObject({ at: (present - 1) * hourMs, depth: { waiting: 4, running: 1, dead: 2 }, oldestWaitingMs: 1_500 });
  await queue.add(1);
  await eventually("what comes now is beside it", async () => (await queue.rates({ hours: 5 })).total.added === 13);
  await Promise.all(keepers.map((keeper) => keeper.stop()));
  connection.close();
  await database.close();
});
