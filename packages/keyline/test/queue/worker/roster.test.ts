import { hostname } from "node:os";
import { startValkey } from "@keyline/embedded";
import { Keyline, type WorkerInfo } from "keyline";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { version } from "../../../src/runtime/version.ts";
import { startProcess } from "../../support/processes.ts";
import { eventually, gate, openQuietStage, openStage, type Stage } from "../../support/stage.ts";

let stage: Stage;
let here: Keyline;
let operator: Keyline;
beforeAll(async () => {
  stage = await openStage();
  here = stage.keyline();
  operator = stage.keyline();
  await here.migrate();
});
afterAll(() => stage.close());

async function known(
  queue: { workers(): Promise<WorkerInfo[]> },
  condition: (workers: readonly WorkerInfo[]) => boolean,
): Promise<WorkerInfo[]> {
  let workers: WorkerInfo[] = [];
  await eventually("the workers are as they should be", async () => condition((workers = await queue.workers())));
  return workers;
}

const areNamed = (count: number) => (workers: readonly WorkerInfo[]) =>
  workers.length === count && workers.every(({ host }) => host !== undefined);

test("a queue without workers has none", async () => {
  expect(await operator.queue("nobody").workers()).toEqual([]);
});

test.each([{ transactional: false }, { transactional: true }])(
  "each worker says what it is, and what it runs (transactional: $transactional)",
  async ({ transactional }) => {
    const options = { transactional } as { transactional: false };
    const name = `seen-${transactional}`;
    const queue = here.queue<number>(name, options);
    const held = gate();
    const before = Date.now();
    const slow = queue.work(() => held.opened, { concurrency: 3 });
    const { id } = await queue.add(1);
    const seen = operator.queue(name, options);
    const [worker] = await known(seen, ([first]) => first?.jobs.length === 1);
    expect(worker).toMatchObject({
      host: hostname(),
      pid: process.pid,
      version,
      concurrency: 3,
      running: 1,
      jobs: [{ id, attempt: 1 }],
    });
    expect(worker?.startedAt).toBeGreaterThanOrEqual(before);
    expect(worker?.jobs[0]?.startedAt).toBeGreaterThanOrEqual(worker?.startedAt ?? 0);

    const batches = queue.workBatch(() => undefined, { size: 50, concurrency: 2 });
    const workers = await known(seen, areNamed(2));
    expect(workers.map(({ concurrency }) => concurrency)).toEqual([3, 100]);
    held.open();
    await Promise.all([slow.stop(), batches.stop()]);
    expect(await seen.workers()).toEqual([]);
  },
);

test("of many jobs the 20 that have run for longest are told, the oldest first, and how many there are", async () => {
  const queue = here.queue<number>("busy");
  const held = gate();
  const worker = queue.work(() => held.opened, { concurrency: 50 });
  const first = await queue.add(0);
  await known(queue, ([one]) => one?.running === 1);
  await queue.addMany(Array.from({ length: 60 }, (_, n) => ({ data: n })));
  const [busy] = await known(queue, ([one]) => one?.running === 50);
  expect(busy?.jobs).toHaveLength(20);
  expect(busy?.jobs[0]?.id).toBe(first.id);
  const begun = busy?.jobs.map(({ startedAt }) => startedAt) ?? [];
  expect(begun).toEqual(begun.toSorted((one, other) => one - other));
  held.open();
  await known(queue, ([one]) => one?.running === 0);
  await worker.stop();
});

test("a retry tells which attempt it is", async () => {
  const queue = here.queue<number>("again", { backoff: () => 1 });
  const held = gate();
  const worker = queue.work(({ attempt }) => {
    if (attempt === 1) throw new Error("once");
    return held.opened;
  });
  await queue.add(1);
  const [one] = await known(queue, ([first]) => first?.jobs[0]?.attempt === 2);
  expect(one?.running).toBe(1);
  held.open();
  await worker.stop();
});

test("workers of other processes are seen, and not any more when their lease has ended", async () => {
  const queue = operator.queue("elsewhere", { lease: 500 });
  const child = startProcess("waiting-worker.ts", { valkey: stage.valkeyUrl, prefix: stage.prefix, queue: "elsewhere", lease: 500 });
  const [worker] = await known(queue, areNamed(1));
  expect(worker?.pid).toBe(child.child.pid);
  child.signal("SIGKILL");
  await child.exited;
  await known(queue, (workers) => workers.length === 0);
});

describe("what nobody asks for is not written", () => {
  test("and what workers run is told for half a minute, and only while that is asked", async () => {
    const quiet = await openQuietStage();
    const keyline = quiet.keyline();
    const queue = keyline.queue<number>("quiet", { lease: 300 });
    const held = gate();
    const worker = queue.work(() => held.opened);
    await queue.add(1);
    const reports = async (): Promise<string[]> => quiet.valkey.keys(`${quiet.prefix}:{quiet}:worker:*:jobs`);
    const beats = async (): Promise<number> =>
      Number(/cmdstat_pexpire:calls=(\d+)/.exec(await quiet.valkey.info("commandstats"))?.[1] ?? 0);
    await eventually("five beats have passed", async () => (await beats()) >= 5);
    expect(await reports()).toEqual([]);
    expect(await queue.workers({ jobs: false })).toMatchObject([{ pid: process.pid, running: 1, jobs: [] }]);
    expect(await quiet.valkey.exists(`${quiet.prefix}:{quiet}:watched`)).toBe(0);
    await expect(queue.workers({ job: false } as object)).rejects.toMatchObject({ code: "INVALID_OPTION" });
    await queue.workers();
    await eventually("it is told", async () => (await reports()).length === 1);
    expect(await quiet.valkey.pttl(`${quiet.prefix}:{quiet}:watched`)).toBeGreaterThan(0);
    await quiet.valkey.del(`${quiet.prefix}:{quiet}:watched`, ...(await reports()));
    const before = await beats();
    await eventually("ten beats have passed", async () => (await beats()) >= before + 10);
    expect(await reports()).toEqual([]);
    held.open();
    await quiet.close();
    await worker.stop();
  });
});

test("after Valkey was emptied a worker says again what it is", async () => {
  const quiet = await openQuietStage();
  const queue = quiet.keyline().queue<number>("emptied", { lease: 400 });
  const worker = queue.work(() => undefined);
  const [first] = await known(queue, areNamed(1));
  await quiet.valkey.flushall();
  const [second] = await known(queue, areNamed(1));
  // The lease was lost with everything: it has a new one.
  await known(queue, ([one]) => one?.id !== first?.id && one?.host !== undefined);
  expect(second).toMatchObject({ pid: process.pid });
  const [{ id } = { id: "" }] = await queue.workers();
  await quiet.valkey.del(`${quiet.prefix}:{emptied}:worker:${id}`);
  await known(queue, areNamed(1));
  await worker.stop();
  await quiet.close();
});

test("a worker that may not write what it is works all the same, and says so once in the log, at debug", async () => {
  const server = await startValkey();
  const limited = await openStage({ valkeyUrl: server.url });
  const keys = [
    "waiting*",
    "workers",
    "gone",
    "scheduled",
    "held*",
    "ids",
    "gates",
    "signals",
    "tracked",
    "ends",
    "dead*",
    "grouped",
    "lines",
    "rights",
  ];
  const patterns = [...keys, "schedules", "ticks", "wake", "paused", "families", "family-owing", "rates*", "feed*"].map(
    (key) => `~${limited.prefix}:{limited}:${key}`,
  );
  await limited.valkey.call("ACL", "SETUSER", "worker", "on", ">secret", ...patterns, "+@all");
  const queue = limited.keyline({ valkey: server.url.replace("//", "//worker:secret@") }).queue<number>("limited", { lease: 300 });
  const seen: number[] = [];
  const worker = queue.work(({ data }) => void seen.push(data));
  const errors: Error[] = [];
  worker.on("error", (error) => errors.push(error));
  await queue.add(1);
  await eventually("it ran", () => seen.length === 1);
  const said = (): string[] => limited.log.filter(({ message }) => message.includes("for operators")).map(({ level }) => level);
  await eventually("it was refused", () => said().length > 0);
  const first = await limited.keyline().queue("limited").workers();
  await eventually("its lease was renewed a few times", async () => {
    return (
      Number(await limited.valkey.zscore(`${limited.prefix}:{limited}:workers`, first[0]?.id ?? "")) > Date.now() + 100 && seen.length === 1
    );
  });
  await queue.add(2);
  await eventually("it goes on", () => seen.length === 2);
  expect(said()).toEqual(["debug"]);
  expect(errors).toEqual([]);
  // What an operator sees of it is its lease.
  expect(await limited.keyline().queue("limited").workers()).toMatchObject([
    { pid: process.pid, host: undefined, concurrency: undefined, jobs: [] },
  ]);
  await worker.stop();
  await limited.close();
  await server.stop();
});

test("who may only read gets the workers, and what others have asked for", async () => {
  const queue = here.queue<number>("readable");
  const worker = queue.work(() => undefined);
  await known(queue, areNamed(1));
  const user = `reader_${process.pid}`;
  await stage.valkey.call("ACL", "SETUSER", user, "on", ">secret", "~*", "&*", "+@read", "+@connection", "+@scripting", "+info", "+time");
  const reader = new Keyline({ valkey: stage.valkeyUrl.replace("//", `//${user}:secret@`), prefix: stage.prefix });
  expect(await reader.queue("readable").workers()).toMatchObject([{ host: hostname(), pid: process.pid }]);
  await reader.close();
  await stage.valkey.call("ACL", "DELUSER", user);
  await worker.stop();
});

describe("consumers of a group", () => {
  test.each([{ transactional: false }, { transactional: true }])(
    "say what they are (transactional: $transactional)",
    async ({ transactional }) => {
      const options = { transactional } as { transactional: false };
      const name = `events-${transactional}`;
      const stream = here.stream<number>(name, options);
      const held = gate();
      const consumer = stream.consume("mailer", () => held.opened, { concurrency: 4, lease: 600 });
      for (let n = 0; n < 3; n++) await stream.append(n);
      const group = operator.stream(name, options).group("mailer");
      await eventually("all run", async () => (await group.consumers().catch(() => []))[0]?.running === 3);
      await eventually("it has told its name", async () => (await group.consumers())[0]?.host !== undefined);
      expect(await group.consumers()).toMatchObject([{ host: hostname(), pid: process.pid, version, concurrency: 4, running: 3 }]);
      held.open();
      await eventually("none runs", async () => (await group.consumers())[0]?.running === 0);
      await consumer.stop();
      expect(await group.consumers()).toEqual([]);
    },
  );

  test("of no group are refused", async () => {
    await expect(operator.stream("none").group("nobody").consumers()).rejects.toMatchObject({ code: "UNKNOWN_GROUP" });
  });
});
