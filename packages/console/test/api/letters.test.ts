import type { Keyline } from "keyline";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { eventually, openStage, type Stage } from "../../../keyline/test/support/stage.ts";
import { auditPage } from "../../src/api/audit.ts";
import { causesView, dryRunAnswer, lettersPage, taskAnswer } from "../../src/api/letter.ts";
import { task, tasksView, type Task } from "../../src/api/task.ts";
import { openConsole, signToken, type ConsoleServer } from "../support/console-server.ts";
import { valid } from "../support/valid.ts";

let stage: Stage;
let keyline: Keyline;
let console: ConsoleServer;
beforeAll(async () => {
  stage = await openStage();
  keyline = stage.keyline();
  await keyline.migrate();
  console = await openConsole({ keyline: stage.keyline() });
});
afterAll(async () => {
  await console.close();
  await stage.close();
});

async function untilEnded(id: string): Promise<Task> {
  let last: Task | undefined;
  await eventually("the task has ended", async () => {
    last = valid(task, await console.get(`api/tasks/${id}`));
    return last.state !== "running";
  });
  return last as Task;
}

describe.each([{ transactional: false }, { transactional: true }])("dead letters (%j)", ({ transactional }) => {
  const open = (name: string) =>
    keyline.queue<string>(`${name}-${transactional}`, { transactional, maxAttempts: 1 } as { transactional: false });

  async function die(name: string, messages: readonly string[]): Promise<ReturnType<typeof open>> {
    const queue = open(name);
    await queue.addMany(messages.map((data) => ({ data })));
    const worker = queue.work((job) => Promise.reject(new Error(job.data)), { concurrency: 10 });
    await eventually("all are dead", async () => (await queue.counts()).dead === messages.length);
    await worker.stop();
    await eventually("the console knows it", async () => (await console.get(`api/queues/${queue.name}`)).status === 200);
    return queue;
  }

  test("are listed page by page, none twice and none left out, filtered, and without secrets", async () => {
    const queue = await die("listed", [...Array.from({ length: 12 }, (_, index) => `no answer from ${index}, password=p4ss`), "other"]);
    const seen: string[] = [];
    let cursor: string | null = "";
    while (cursor !== null) {
      const answer = await console.get(`api/queues/${queue.name}/letters?limit=5${cursor && `&cursor=${cursor}`}`);
      expect(answer.text).not.toContain("p4ss");
      const page = valid(lettersPage, answer);
      seen.push(...page.letters.map(({ id }) => id));
      cursor = page.next;
    }
    expect(seen).toHaveLength(13);
    expect(new Set(seen).size).toBe(13);
    const [letter] = valid(lettersPage, await console.get(`api/queues/${queue.name}/letters?error=other`)).letters;
    expect(letter).toMatchObject({ reason: "Error: other", attempts: 1, payload: { data: "other" } });
    expect(letter?.stack).toContain("at ");
    expect(valid(lettersPage, await console.get(`api/queues/${queue.name}/letters?before=1`)).letters).toEqual([]);
    expect((await console.get(`api/queues/${queue.name}/letters?cursor=x`)).body).toMatchObject({ status: 400, code: "INVALID_CURSOR" });
    const { causes, looked, total } = valid(causesView, await console.get(`api/queues/${queue.name}/causes`));
    expect({ looked, total }).toEqual({ looked: 13, total: 13 });
    expect(causes.map(({ count }) => count)).toEqual([12, 1]);
    expect(causes[0]?.cause).not.toContain("p4ss");
    // What the page was shown is enough to say which are meant, also where something in it is hidden.
    const of = `cause=${encodeURIComponent(causes[0]?.cause ?? "")}`;
    expect(valid(lettersPage, await console.get(`api/queues/${queue.name}/letters?${of}&limit=20`)).letters).toHaveLength(12);
  });

  test("are redriven and discarded by filter, after a dry run, as tasks that tell how far they are", async () => {
    const queue = await die("many", [...Array.from({ length: 20 }, () => "timeout"), ...Array.from({ length: 5 }, () => "broken")]);
    const path = `api/queues/${queue.name}/letters`;
    expect(valid(dryRunAnswer, await console.post(`${path}/redrive`, { filter: { error: "timeout" }, dryRun: true })).count).toBe(20);
    expect(valid(dryRunAnswer, await console.post(`${path}/discard`, { filter: {}, dryRun: true })).count).toBe(25);
    expect((await queue.counts()).dead).toBe(25);
    const started = await console.post(`${path}/redrive`, { filter: { error: "timeout" } });
    expect(started.status).toBe(202);
    const done = await untilEnded(valid(taskAnswer, started).task);
    expect(done).toMatchObject({ act: "redrive", target: `queue:${queue.name}`, who: "ada", state: "done", done: 20, error: null });
    await eventually("they wait", async () => (await queue.counts()).waiting === 20);
    const [{ id } = { id: "" }] = valid(lettersPage, await console.get(path)).letters;
    expect(await untilEnded(valid(taskAnswer, await console.post(`${path}/discard`, { ids: [id, "gone"] })).task)).toMatchObject({
      state: "done",
      done: 1,
      total: 2,
    });
    expect(await untilEnded(valid(taskAnswer, await console.post(`${path}/discard`, { filter: {} })).task)).toMatchObject({
      state: "done",
      done: 4,
    });
    expect((await queue.counts()).dead).toBe(0);
    const { entries } = valid(auditPage, await console.get(`api/audit?target=queue:${queue.name}`));
    expect(entries.map(({ action, count }) => ({ action, count }))).toEqual([
      { action: "discard", count: 4 },
      { action: "discard", count: 1 },
      { action: "redrive", count: 20 },
    ]);
    for (const body of [{}, { filter: {}, ids: ["a"] }, { ids: [] }, { filter: { x: 1 } }, { all: true }]) {
      expect((await console.post(`${path}/discard`, body)).status, JSON.stringify(body)).toBe(400);
    }
  });

  test("that die after an act was asked for are not touched by it", async () => {
    const queue = await die("later", ["timeout", "timeout"]);
    const before = Date.now();
    await eventually("a moment has passed", () => Date.now() > before + 1);
    await queue.add("timeout");
    const worker = queue.work((job) => Promise.reject(new Error(job.data)));
    await eventually("another one is dead", async () => (await queue.counts()).dead === 3);
    await worker.stop();
    const answer = await console.post(`api/queues/${queue.name}/letters/discard`, { filter: { error: "timeout" }, before });
    expect(await untilEnded(valid(taskAnswer, answer).task)).toMatchObject({ state: "done", done: 2 });
    expect((await queue.counts()).dead).toBe(1);
  });
});

test("a task has not ended before the audit trail says what came of it", async () => {
  const queue = keyline.queue<string>("audited", { maxAttempts: 1 });
  await queue.addMany(["one", "two"].map((data) => ({ data })));
  const worker = queue.work(() => Promise.reject(new Error("no")));
  await eventually("both are dead", async () => (await queue.counts()).dead === 2);
  await worker.stop();
  await eventually("the console knows it", async () => (await console.get("api/queues/audited")).status === 200);
  // Whoever writes the end of an entry has to wait.
  await stage.pool
    .query(`CREATE FUNCTION hold() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_advisory_xact_lock(7); RETURN NEW; END $$;
    CREATE TRIGGER hold BEFORE UPDATE ON keyline.audit FOR EACH ROW EXECUTE FUNCTION hold()`);
  const holder = await stage.pool.connect();
  await holder.query("SELECT pg_advisory_lock(7)");
  const { task: id } = valid(taskAnswer, await console.post("api/queues/audited/letters/discard", { filter: {} }));
  await eventually("the end of the entry waits", async () => {
    const { rows } = await stage.pool.query(
      "SELECT 1 FROM pg_locks JOIN pg_stat_activity USING (pid) WHERE locktype = 'advisory' AND NOT granted AND datname = current_database()",
    );
    return rows.length === 1;
  });
  expect((await queue.counts()).dead).toBe(0);
  expect(valid(task, await console.get(`api/tasks/${id}`))).toMatchObject({ state: "running", done: 2, total: 2 });
  await holder.query("SELECT pg_advisory_unlock(7)");
  holder.release();
  expect(await untilEnded(id)).toMatchObject({ state: "done", done: 2 });
  const [entry] = valid(auditPage, await console.get("api/audit?target=queue:audited")).entries;
  expect(entry).toMatchObject({ count: 2, finishedAt: expect.any(Number) });
  await stage.pool.query("DROP TRIGGER hold ON keyline.audit");
});

test("an act on many is stopped between two pages, and says how far it came", async () => {
  const queue = keyline.queue<number>("stopped", { maxAttempts: 1 });
  const count = 4_000;
  await queue.addMany(Array.from({ length: count }, (_, data) => ({ data })));
  const worker = queue.work(() => Promise.reject(new Error("no")), { concurrency: 500 });
  await eventually("all are dead", async () => (await queue.counts()).dead === count, 60_000);
  await worker.stop();
  await eventually("the console knows it", async () => (await console.get("api/queues/stopped")).status === 200);
  const { task: id } = valid(taskAnswer, await console.post("api/queues/stopped/letters/discard", { filter: {} }));
  const viewer = await signToken({ console: "viewer", sub: "eve" });
  expect((await console.post(`api/tasks/${id}/stop`, {}, { token: viewer })).status).toBe(403);
  const stopped = valid(task, await console.post(`api/tasks/${id}/stop`));
  const { dead } = await queue.counts();
  expect(stopped.done).toBe(count - dead);
  expect(["stopped", "done"]).toContain(stopped.state);
  // It may have been quicker than whoever stops it, which then has nothing to stop.
  if (stopped.state === "stopped") expect(stopped.done % 500).toBe(0);
  expect(valid(tasksView, await console.get("api/tasks")).tasks.map((one) => one.id)).toContain(id);
  expect((await console.get("api/tasks/unknown")).body).toMatchObject({ status: 404, code: "UNKNOWN_TASK" });
});
