import type { Keyline } from "keyline";
import { afterAll, beforeAll, expect, test } from "vitest";
import { eventually, openStage, type Stage } from "../../../keyline/test/support/stage.ts";
import { auditPage, type AuditEntry } from "../../src/api/audit.ts";
import { groupLettersPage } from "../../src/api/stream.ts";
import { task } from "../../src/api/task.ts";
import { createDesk } from "../../src/create-desk.ts";
import { Router, type Route } from "../../src/http/router.ts";
import { allRoutes } from "../../src/routes.ts";
import { openConsole, secret, signToken, type Answer, type ConsoleServer } from "../support/console-server.ts";
import { valid } from "../support/valid.ts";

/** An act, and what the trail has of it. */
interface Act {
  /** Below `api/`; TASK is the task that was begun last. */
  readonly path: string;
  readonly body?: object;
  readonly target: string;
  readonly action: string;
  readonly details: unknown;
  /** Undefined where it failed: then the trail says why. */
  readonly count?: number;
}

let stage: Stage;
let keyline: Keyline;
let console: ConsoleServer;
let routes: readonly Route[];
let letters: readonly string[];
beforeAll(async () => {
  stage = await openStage();
  keyline = stage.keyline();
  await keyline.migrate();
  console = await openConsole({ keyline: stage.keyline() });
  routes = allRoutes(createDesk({ keyline, access: { secret } }));
  await Promise.all([fillQueue(), fillStream(), keyline.channel("news", { history: { size: 10 } }).list()]);
  for (const path of ["queues/acted", "streams/readings/groups/picky", "channels/news"]) {
    await eventually(`the console knows ${path}`, async () => (await console.get(`api/${path}`)).status === 200);
  }
  const page = valid(groupLettersPage, await console.get("api/streams/readings/groups/picky/letters"));
  letters = page.letters.map(({ id }) => id);
});
afterAll(async () => {
  await console.close();
  await stage.close();
});

async function fillQueue(): Promise<void> {
  const queue = keyline.queue<string>("acted", { transactional: true });
  const dying = Array.from({ length: 7 }, (_, n) => ({ data: n < 4 ? "boom" : "bang", id: `dead-${n}`, maxAttempts: 1 }));
  await queue.addMany(dying);
  const worker = queue.work((job) => Promise.reject(new Error(job.data)), { concurrency: 7 });
  await eventually("they died", async () => (await queue.counts()).dead === dying.length);
  await worker.stop();
  const delay = 3_600_000;
  await queue.addMany([{ data: "x", id: "waits" }, ...["later", "changed", "signalled"].map((id) => ({ data: "x", id, delay }))]);
  await queue.schedule("often", { every: delay, data: "tick" });
  await eventually("all are there", async () => (await queue.counts()).scheduled === 3);
}

async function fillStream(): Promise<void> {
  const stream = keyline.stream<{ n: number }>("readings");
  const consumer = stream.consume("picky", () => Promise.reject(new Error("no")), { maxAttempts: 1 });
  await stream.appendMany([{ n: 1 }, { n: 2 }, { n: 3 }]);
  await eventually("all died", async () => (await stream.groups())[0]?.dead === 3);
  await consumer.stop();
}

const at = expect.any(Number) as number;

function actsOnQueue(): readonly Act[] {
  const target = "queue:acted";
  const on = (path: string, action: string, rest: Omit<Act, "path" | "action" | "target">): Act => ({
    path: `queues/acted/${path}`,
    action,
    target,
    ...rest,
  });
  const job = (id: string, act: string, rest: { body?: object; details?: object; count: number }): Act =>
    on(`jobs/${id}/${act}`, act, { ...rest, details: { job: id, ...rest.details } });
  const schedule = (act: string, count: number): Act =>
    on(`schedules/often/${act}`, `schedule-${act}`, { details: { schedule: "often" }, count });
  return [
    on("pause", "pause", { details: {}, count: 1 }),
    on("resume", "resume", { details: {}, count: 1 }),
    on("pause", "pause", { body: { group: "g" }, details: { group: "g" }, count: 1 }),
    on("limits", "limits", { body: { concurrency: 7 }, details: { concurrency: 7 }, count: 1 }),
    on("add", "add", { body: { data: { password: "p4ss" }, priority: "high" }, details: { priority: "high" }, count: 1 }),
    schedule("run", 1),
    schedule("pause", 1),
    schedule("resume", 1),
    schedule("remove", 1),
    schedule("remove", 0),
    on("schedules/often/run", "schedule-run", { details: { schedule: "often" } }),
    job("waits", "cancel", { count: 1 }),
    job("waits", "cancel", { count: 0 }),
    job("later", "promote", { count: 1 }),
    job("later", "promote", { count: 0 }),
    job("changed", "update", { body: { priority: "high", delay: 60_000 }, details: { changed: ["delay", "priority"] }, count: 1 }),
    job("nobody", "update", { body: { priority: "low" }, details: { changed: ["priority"] }, count: 0 }),
    job("signalled", "signal", { body: { name: "go", data: { password: "p4ss" } }, details: { signal: "go" }, count: 1 }),
    job("nobody", "signal", { body: { name: "go" }, details: { signal: "go" }, count: 0 }),
    job("dead-0", "redrive", { count: 1 }),
    job("dead-0", "redrive", { count: 0 }),
    job("dead-1", "discard", { count: 1 }),
    job("dead-1", "discard", { count: 0 }),
    on("letters/redrive", "redrive", { body: { ids: ["dead-2", "dead-3", "gone"] }, details: { ids: 3, before: at }, count: 2 }),
    on("letters/discard", "discard", { body: { filter: { error: "bang" } }, details: { error: "bang", before: at }, count: 3 }),
    { path: "tasks/TASK/stop", target, action: "stop", details: { task: expect.any(String), act: "discard" }, count: 0 },
  ];
}

function actsOnOthers(): readonly Act[] {
  const target = "stream:readings";
  const on = (act: string, rest: { body: object; details?: object; count: number }): Act => ({
    path: `streams/readings/groups/picky/${act}`,
    action: act,
    target,
    ...rest,
    details: { group: "picky", ...rest.details },
  });
  const confirm = "picky";
  return [
    { path: "streams/readings/append", body: { data: { n: 4 } }, action: "append", target, details: null, count: 1 },
    on("redrive", { body: { ids: letters.slice(0, 1) }, details: { ids: 1 }, count: 1 }),
    on("discard", { body: { all: true }, details: { all: true }, count: 2 }),
    on("reset", { body: { confirm, to: "start" }, details: { to: "start" }, count: 1 }),
    on("remove", { body: { confirm }, count: 1 }),
    { path: "channels/news/publish", body: { data: { n: 1 } }, action: "publish", target: "channel:news", details: null, count: 1 },
  ];
}

let begun = "";
async function post({ path, body = {} }: Pick<Act, "path" | "body">, token?: string): Promise<Answer> {
  const answer = await console.post(`api/${path.replace("TASK", begun)}`, body, { token });
  const { task: id } = (answer.body ?? {}) as { readonly task?: string };
  if (id === undefined) return answer;
  begun = id;
  await eventually("the task has ended", async () => valid(task, await console.get(`api/tasks/${id}`)).state !== "running");
  return answer;
}

/** All of the trail, the newest first. */
async function trail(): Promise<readonly AuditEntry[]> {
  return valid(auditPage, await console.get("api/audit?limit=200")).entries;
}

test("every act is written down once, with who did what to what, and to how many", async () => {
  const token = await signToken({ console: "operator", sub: "grace" });
  const acts = [...actsOnQueue(), ...actsOnOthers()];
  const router = new Router(routes);
  const tried = acts.map(({ path }) => router.match("POST", path).route.path);
  const all = routes.filter(({ method }) => method === "POST").map(({ path }) => path);
  expect([...new Set(tried)].toSorted()).toEqual(all.toSorted());
  let before = (await trail()).length;
  for (const act of acts) {
    const what = `${act.path} ${JSON.stringify(act.body)}`;
    const { status, text } = await post(act, token);
    expect(status < 300, `${what}: ${status} ${text}`).toBe(act.count !== undefined);
    const entries = await trail();
    expect(entries.length, what).toBe(before + 1);
    before = entries.length;
    const { who, action, target, details, count, error, finishedAt } = entries[0] as AuditEntry;
    expect({ who, action, target, details, count, error, finishedAt }, what).toEqual({
      who: "grace",
      action: act.action,
      target: act.target,
      details: act.details,
      count: act.count ?? null,
      error: act.count === undefined ? expect.any(String) : null,
      finishedAt: at,
    });
  }
  const { rows } = await stage.pool.query<{ trail: string }>("SELECT json_agg(audit)::text AS trail FROM keyline.audit AS audit");
  expect(rows[0]?.trail).not.toContain("p4ss");
});

test("what was not asked for as it has to be, and what only counts, is not written down", async () => {
  const before = (await trail()).length;
  for (const { path } of [...actsOnQueue(), ...actsOnOthers()]) {
    for (const body of [[], { surplus: true }]) expect((await post({ path, body })).status, path).toBe(400);
  }
  const dry = await console.post("api/queues/acted/letters/discard", { filter: {}, dryRun: true });
  expect(dry).toMatchObject({ status: 200, body: { count: 0 } });
  expect((await post({ path: "streams/readings/groups/picky/reset", body: { confirm: "other", to: "start" } })).status).toBe(409);
  expect((await trail()).length).toBe(before);
});
