import { existsSync, mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { startProcess, type Line, type TestProcess } from "../../support/processes.ts";
import { isRunning } from "../../support/running.ts";
import { eventually, openStage, type Stage } from "../../support/stage.ts";

type Data = { readonly do: "wait" | "loop" | "hoard" | "number"; readonly n?: number; readonly file?: string };

const handler = new URL("./handlers/ending.ts", import.meta.url);
const rules = { lease: 2_000, maxAttempts: 3, keepResult: 60_000, backoff: () => 10 };
const numbers = Array.from({ length: 20 }, (_, n) => n);

let stage: Stage;
let names = 0;
const processes: TestProcess[] = [];
beforeAll(async () => {
  stage = await openStage();
});
afterEach(async () => {
  for (const one of processes) one.signal("SIGKILL");
  await Promise.all(processes.splice(0).map((one) => one.exited));
});
afterAll(() => stage.close());

const nextQueue = () => stage.keyline().queue<Data>(`ends${names++}`, rules);
type Numbers = ReturnType<typeof nextQueue>;

/** The process in which the job says that it runs. */
async function pidOf(queue: Numbers, id: string): Promise<number> {
  let pid: unknown;
  await eventually("it says where it runs", async () => typeof (pid = (await queue.job(id))?.progress) === "number", 60_000);
  return pid as number;
}

function startWorker(queue: string, isolate: "thread" | "process", nodeOptions: readonly string[] = []): TestProcess {
  const settings = { valkey: stage.valkeyUrl, prefix: stage.prefix, queue, isolate, handler: handler.href };
  const one = startProcess("isolating-worker.ts", settings, nodeOptions);
  processes.push(one);
  return one;
}

/** What else is done meanwhile is done in one attempt. */
async function addNumbers(queue: Numbers): Promise<() => Promise<void>> {
  const added = await queue.addMany(numbers.map((n) => ({ data: { do: "number", n } as const })));
  return async () => {
    expect(await Promise.all(added.map(({ id }) => queue.waitFor(id, { timeout: 60_000 })))).toEqual(numbers);
  };
}

test("a process that is killed from outside is a failed attempt that says so: no lease is lost, and nobody else fails", async () => {
  const queue = nextQueue();
  const told: unknown[] = [];
  const worker = queue.work(handler, { isolate: "process", concurrency: 4 });
  worker.on("retried", (job, error) => told.push({ id: job.id, code: (error as { code?: string }).code, message: error.message }));
  worker.on("error", (error) => told.push(error));
  const { id } = await queue.add({ do: "wait" });
  const pid = await pidOf(queue, id);
  expect(pid).not.toBe(process.pid);
  const areDone = await addNumbers(queue);
  process.kill(pid, "SIGKILL");
  expect(await queue.waitFor(id, { timeout: 60_000 })).toBe("once");
  await areDone();
  expect(told).toEqual([{ id, code: "HANDLER_DIED", message: expect.stringContaining("ended by SIGKILL") as string }]);
  await worker.stop();
}, 90_000);

test("a thread whose memory has run out is a failed attempt that says so: its process goes on, no lease is lost, and nobody else fails", async () => {
  const queue = nextQueue();
  const { id } = await queue.add({ do: "hoard" });
  const areDone = await addNumbers(queue);
  // Each thread may have as much.
  const worker = startWorker(queue.name, "thread", ["--max-old-space-size=96"]);
  expect(await queue.waitFor(id, { timeout: 90_000 })).toBe("once");
  await areDone();
  const failures = worker.lines.filter((line) => "retried" in line || "error" in line);
  expect(failures).toEqual([{ retried: id, code: "HANDLER_DIED", message: expect.stringContaining("memory") as string }]);
  expect(worker.child.exitCode).toBeNull();
  const isOf = ({ completed }: Line): boolean => completed === id;
  await eventually("it is told", () => worker.lines.some(isOf));
  expect(worker.lines.filter((line) => "completed" in line && !isOf(line)).map(({ attempt }) => attempt)).toEqual(numbers.map(() => 1));
}, 120_000);

describe("a worker process that is killed", () => {
  test("takes its isolated processes with it, also one that never comes back from a loop, and its jobs are done elsewhere", async () => {
    const queue = nextQueue();
    const file = join(mkdtempSync(join(tmpdir(), "keyline-isolate-")), "in its loop");
    const added = await queue.addMany([{ data: { do: "wait" } }, { data: { do: "loop", file } }]);
    const worker = startWorker(queue.name, "process");
    const pids = await Promise.all(added.map(({ id }) => pidOf(queue, id)));
    await eventually("one is in its loop", () => existsSync(file));
    expect(new Set([...pids, worker.child.pid]).size).toBe(3);
    expect(pids.map(isRunning)).toEqual([true, true]);
    worker.signal("SIGKILL");
    await worker.exited;
    await eventually("they have ended", () => pids.every((pid) => !isRunning(pid)), 60_000);
    const next = startWorker(queue.name, "process");
    expect(await Promise.all(added.map(({ id }) => queue.waitFor(id, { timeout: 60_000 })))).toEqual(["once", "once"]);
    next.signal("SIGTERM");
    await next.exited;
  }, 120_000);
});
