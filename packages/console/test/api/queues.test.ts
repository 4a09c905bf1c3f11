import type { Keyline } from "keyline";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { z } from "zod";
import { eventually, openStage, type Stage } from "../../../keyline/test/support/stage.ts";
import { auditPage, type AuditPage } from "../../src/api/audit.ts";
import { groupsPage } from "../../src/api/group.ts";
import { health } from "../../src/api/health.ts";
import { overview } from "../../src/api/overview.ts";
import { addAnswer, limits, pauseAnswer, queueRates, queueStores, queueView } from "../../src/api/queue.ts";
import { runAnswer, scheduleAnswer, schedulesPage } from "../../src/api/schedule.ts";
import { openConsole, signToken, type ConsoleServer } from "../support/console-server.ts";
import { valid } from "../support/valid.ts";

let stage: Stage;
let keyline: Keyline;
let console: ConsoleServer;
beforeAll(async () => {
  stage = await openStage();
  keyline = stage.keyline();
  await keyline.migrate();
  // Other processes use the queues; the console's finds them.
  console = await openConsole({ keyline: stage.keyline(), redact: ["email"] });
});
afterAll(async () => {
  await console.close();
  await stage.close();
});

describe.each([{ transactional: false }, { transactional: true }])("a queue (%j)", ({ transactional }) => {
  const name = `mails-${transactional}`;
  const open = () => keyline.queue<{ to: string }>(name, { transactional } as { transactional: false });
  const known = async (): Promise<void> => {
    await open().add({ to: "a" });
    await eventually("the console knows it", async () => (await console.get(`api/queues/${name}`)).status === 200);
  };

  test("is shown with its counts, rates, limits, workers and what is wrong", async () => {
    await known();
    await open().add({ to: "b" });
    await eventually("both wait", async () => (await open().counts()).waiting === 2);
    const view = valid(queueView, await console.get(`api/queues/${name}`));
    expect(view).toMatchObject({
      name,
      transactional,
      paused: false,
      counts: { waiting: 2, running: 0, dead: 0 },
      limits: { concurrency: null, rate: null, group: { concurrency: null, rate: null } },
      workers: [],
      schedules: 0,
      stores: { valkey: "ok", postgres: "ok" },
      problems: [{ code: "NO_WORKER", severity: "critical" }],
    });
    expect(view.oldestWaitingMs).toBeGreaterThanOrEqual(0);
    const worker = open().work(() => undefined, { concurrency: 3 });
    await eventually("it has a worker, and nothing is wrong", async () => {
      const { workers, problems } = valid(queueView, await console.get(`api/queues/${name}`));
      return workers?.length === 1 && workers[0]?.concurrency === 3 && workers[0]?.pid === process.pid && problems.length === 0;
    });
    await eventually("both have run", async () => (await open().counts()).waiting + (await open().counts()).running === 0);
    await worker.stop();
    await eventually("what was done is counted", async () => {
      const { total, unit, points } = valid(queueRates, await console.get(`api/queues/${name}/rates?minutes=5`));
      return total.added >= 2 && total.completed >= 2 && unit === "minute" && points.length === 5;
    });
    expect(valid(queueRates, await console.get(`api/queues/${name}/rates?hours=48`))).toMatchObject({ unit: "hour" });
    for (const query of ["minutes=0", "hours=99999", "minutes=5&hours=5", "minutes=x"]) {
      expect((await console.get(`api/queues/${name}/rates?${query}`)).status, query).toBe(400);
    }
  });

  test("is added to, paused, resumed and limited, and each is written down", async () => {
    await known();
    const queue = open();
    const { id, added } = valid(
      addAnswer,
      await console.post(`api/queues/${name}/add`, { data: { to: "c", token: "t" }, priority: "high" }),
    );
    expect(added).toBe(true);
    expect((await queue.job(id))?.data).toEqual({ to: "c", token: "t" });
    expect((await console.post(`api/queues/${name}/add`, { data: { token: "[hidden]" } })).body).toMatchObject({
      status: 422,
      code: "HIDDEN_VALUE",
    });
    expect(valid(pauseAnswer, await console.post(`api/queues/${name}/pause`)).paused).toBe(true);
    expect(await queue.counts()).toMatchObject({ paused: true });
    expect(valid(pauseAnswer, await console.post(`api/queues/${name}/pause`, { group: "g" })).paused).toBe(true);
    expect(valid(pauseAnswer, await console.post(`api/queues/${name}/resume`)).paused).toBe(false);
    expect(await queue.counts()).toMatchObject({ paused: false });
    await queue.add({ to: "d" }, { group: "g" });
    await eventually("its job stands in line", async () => {
      const { groups } = valid(groupsPage, await console.get(`api/queues/${name}/groups?state=paused`));
      return groups[0]?.name === "g" && groups[0].waiting === 1;
    });
    const changed = valid(
      limits,
      await console.post(`api/queues/${name}/limits`, { concurrency: 7, group: { rate: { max: 1, per: 1_000 } } }),
    );
    expect(changed).toMatchObject({ concurrency: 7, group: { rate: { max: 1, per: 1_000 } } });
    expect(await queue.limits()).toMatchObject({ concurrency: 7 });
    expect(valid(limits, await console.post(`api/queues/${name}/limits`, { concurrency: null, group: null })).concurrency).toBeNull();
    expect(valid(limits, await console.get(`api/queues/${name}/limits`)).concurrency).toBeNull();
    for (const body of [{ concurrency: 0 }, { speed: 1 }, [], "x"]) {
      expect((await console.post(`api/queues/${name}/limits`, body)).status, JSON.stringify(body)).toBe(400);
    }
    await eventually("all of it is in the audit trail", async () => {
      const { entries } = valid(auditPage, await console.get(`api/audit?target=queue:${name}`));
      const written = new Set(entries.filter(({ finishedAt }) => finishedAt !== null).map(({ action }) => action));
      return ["add", "pause", "resume", "limits"].every((action) => written.has(action)) && entries.every(({ who }) => who === "ada");
    });
  });

  test("has schedules, with their next ticks in their own zone, which are run, paused, resumed and removed", async () => {
    await known();
    const queue = open();
    await queue.schedule("nightly", {
      cron: "0 3 * * *",
      timezone: "Europe/Berlin",
      data: { to: "x", email: "hidden@example.com" } as { to: string },
    });
    await queue.schedule("often", { every: 3_600_000, data: { to: "y" }, limit: 3 });
    const { schedules } = valid(schedulesPage, await console.get(`api/queues/${name}/schedules`));
    expect(schedules.map((schedule) => schedule.name).toSorted()).toEqual(["nightly", "often"]);
    const nightly = schedules.find((schedule) => schedule.name === "nightly");
    expect(nightly).toMatchObject({
      cron: "0 3 * * *",
      timezone: "Europe/Berlin",
      paused: false,
      payload: { data: { to: "x", email: "[hidden]" } },
    });
    const inBerlin = new Intl.DateTimeFormat("en", { timeZone: "Europe/Berlin", hour: "numeric", hourCycle: "h23" });
    expect(nightly?.ahead.map((at) => inBerlin.format(at))).toEqual(["03", "03", "03", "03", "03"]);
    expect(schedules.find((schedule) => schedule.name === "often")?.ahead).toHaveLength(3);
    const { id } = valid(runAnswer, await console.post(`api/queues/${name}/schedules/often/run`));
    expect((await queue.job(id))?.data).toEqual({ to: "y" });
    const found = async (act: string): Promise<boolean> =>
      valid(scheduleAnswer, await console.post(`api/queues/${name}/schedules/${act}`)).found;
    expect(await found("often/pause")).toBe(true);
    const paused = valid(schedulesPage, await console.get(`api/queues/${name}/schedules`));
    expect(paused.schedules.find((schedule) => schedule.name === "often")?.paused).toBe(true);
    expect(await found("often/resume")).toBe(true);
    expect(await found("often/remove")).toBe(true);
    expect(await found("often/remove")).toBe(false);
    // Somebody else was quicker.
    expect(await console.post(`api/queues/${name}/schedules/often/run`)).toMatchObject({ status: 404, body: { code: "UNKNOWN_SCHEDULE" } });
    await queue.unschedule("nightly");
  });
});

test("there is no queue that nobody uses, and asking for one makes none", async () => {
  for (const path of ["queues/unknown", "queues/unknown/jobs", "queues/unknown/letters", "streams/unknown", "channels/unknown"]) {
    expect((await console.get(`api/${path}`)).status, path).toBe(404);
  }
  expect((await console.post("api/queues/unknown/add", { data: 1 })).body).toMatchObject({ status: 404, code: "UNKNOWN_QUEUE" });
  const { items } = valid(overview, await console.get("api/overview"));
  expect(items.map(({ name }) => name)).not.toContain("unknown");
});

test("a queue says what its workers lost, and how many jobs each store has", async () => {
  const queue = keyline.queue<object>("losing", { transactional: true, lease: 1_000 });
  const held = Promise.withResolvers<void>();
  const worker = queue.work(() => held.promise);
  await queue.addMany([{ data: {} }, { data: {}, delay: 3_600_000 }]);
  await eventually("one runs", async () => (await queue.counts()).running === 1);
  await eventually("the console knows it", async () => (await console.get("api/queues/losing")).status === 200);
  await eventually("both stores have them", async () => {
    const counted = valid(queueStores, await console.get("api/queues/losing/stores"));
    return counted.postgres === 2 && counted.valkey === 2 && counted.undelivered === 0 && counted.difference === 0;
  });
  // As if its lease had ended and somebody else had found that out.
  await stage.valkey.zremrangebyrank(`${stage.prefix}:{losing}:workers`, 0, -1);
  await eventually("its lease was lost", async () => {
    const { losses, problems } = valid(queueView, await console.get("api/queues/losing"));
    return losses?.leases === 1 && problems.some(({ code, text }) => code === "LEASES_LOST" && text.startsWith("1 lease was lost"));
  });
  held.resolve();
  await worker.stop();
  const plain = keyline.queue<object>("losing-not");
  await plain.add({});
  await eventually("the console knows it", async () => (await console.get("api/queues/losing-not")).status === 200);
  expect(valid(queueStores, await console.get("api/queues/losing-not/stores"))).toEqual({
    valkey: 1,
    postgres: null,
    undelivered: null,
    difference: null,
  });
});

test("the overview has what is unhealthy first, and says why", async () => {
  const idle = keyline.queue("idle");
  const alone = keyline.queue("alone");
  const worker = idle.work(() => undefined);
  await alone.add(1);
  await keyline.stream("events").append({ a: 1 });
  await eventually("all are there", async () => {
    const { items, leftOut } = valid(overview, await console.get("api/overview"));
    const at = (name: string): number => items.findIndex((item) => item.name === name);
    if (at("idle") < 0 || at("alone") < 0 || at("events") < 0 || leftOut !== 0) return false;
    expect(items[at("alone")]).toMatchObject({
      kind: "queue",
      depth: 1,
      workers: 0,
      problems: [{ code: "NO_WORKER", severity: "critical" }],
    });
    expect(items[at("alone")]?.problems[0]?.text).toBe("1 job waits, and nobody works on this queue");
    return at("alone") < at("idle");
  });
  await worker.stop();
});

test("health and the audit trail are shown, and the trail page by page", async () => {
  expect(valid(health, await console.get("api/health"))).toMatchObject({ valkey: { state: "ok" }, postgres: { state: "ok" } });
  const seen: string[] = [];
  let cursor: string | null = "";
  for (let page = 0; cursor !== null && page < 50; page++) {
    const answer: AuditPage = valid(auditPage, await console.get(`api/audit?limit=3${cursor && `&cursor=${encodeURIComponent(cursor)}`}`));
    seen.push(...answer.entries.map(({ id }) => id));
    cursor = answer.next;
  }
  expect(new Set(seen).size).toBe(seen.length);
  const { rows } = await stage.pool.query<{ count: string }>("SELECT count(*) FROM keyline.audit");
  expect(seen).toHaveLength(Number(rows[0]?.count));
  expect((await console.get("api/audit?cursor=x")).body).toMatchObject({ status: 400, code: "INVALID_CURSOR" });
});

test("nothing is done that cannot be written down", async () => {
  const queue = keyline.queue("unwritten");
  await queue.add(1);
  await eventually("the console knows it", async () => (await console.get("api/queues/unwritten")).status === 200);
  await stage.pool.query("ALTER TABLE keyline.audit RENAME TO audit_away");
  try {
    expect((await console.post("api/queues/unwritten/pause")).body).toMatchObject({
      status: 503,
      code: "NO_AUDIT",
      title: "Nothing was done",
    });
    expect(await queue.counts()).toMatchObject({ paused: false });
  } finally {
    await stage.pool.query("ALTER TABLE keyline.audit_away RENAME TO audit");
  }
  expect((await console.post("api/queues/unwritten/pause")).status).toBe(200);
});

test("two operators act at once, and both are in the trail", async () => {
  const queue = keyline.queue("shared");
  const { id } = await queue.add(1);
  await eventually("the console knows it", async () => (await console.get("api/queues/shared")).status === 200);
  const tokens = await Promise.all(["ann", "bob"].map((sub) => signToken({ sub, console: "operator" })));
  const answers = await Promise.all(tokens.map((token) => console.post(`api/queues/shared/jobs/${id}/cancel`, {}, { token })));
  const was = answers.map(({ body }) => z.object({ was: z.string() }).parse(body).was);
  expect(was.toSorted()).toEqual(["unknown", "waiting"]);
  await eventually("both are written down", async () => {
    const { entries } = valid(auditPage, await console.get("api/audit?target=queue:shared"));
    return (
      entries.length === 2 &&
      new Set(entries.map(({ who }) => who)).size === 2 &&
      entries.reduce((sum, { count }) => sum + (count ?? 9), 0) === 1
    );
  });
});
