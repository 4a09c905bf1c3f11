import { startValkey } from "@keyline/embedded";
import { Valkey } from "iovalkey";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { collected } from "../../support/collected.ts";
import { openGroups, type GroupSite } from "../../support/group-stage.ts";
import { startProcess, type Line, type TestProcess } from "../../support/processes.ts";
import { eventually, gate, openStage, type Stage } from "../../support/stage.ts";
import { startWireProxy, targetOf, type WireProxy } from "../../support/wire-proxy.ts";

type N = { readonly n: number };

let stage: Stage;
const sites: { close(): Promise<void> }[] = [];
const processes: TestProcess[] = [];
let streams = 0;

beforeAll(async () => {
  stage = await openStage();
});
afterEach(async () => {
  for (const { child } of processes) child.kill("SIGCONT");
  for (const { child } of processes) child.kill("SIGKILL");
  await Promise.all(processes.splice(0).map((one) => one.exited));
  await Promise.all(sites.splice(0).map((one) => one.close()));
});
afterAll(() => stage.close());

function open(stream: string, options: Parameters<typeof openGroups>[2] = {}): GroupSite {
  const site = openGroups(stage, stream, options);
  sites.push(site);
  return site;
}

const numbers = (count: number): N[] => Array.from({ length: count }, (_, n) => ({ n }));
const nextStream = (): string => `f${streams++}`;

function startConsumer(
  stream: string,
  settings: { readonly lease?: number; readonly work?: number; readonly concurrency?: number; readonly poison?: number } = {},
): TestProcess {
  const process = startProcess("group-consumer.ts", {
    valkey: stage.valkeyUrl,
    prefix: stage.prefix,
    stream,
    lease: 600,
    work: 0,
    concurrency: 1,
    ...settings,
  });
  processes.push(process);
  return process;
}

const has = (process: TestProcess, key: string, value: unknown): boolean => process.lines.some((line: Line) => line[key] === value);

describe("a consumer", () => {
  test("that is killed: what it ran is run by another one, with the attempt counted", async () => {
    const stream = nextStream();
    const { groups, append } = open(stream);
    const victim = startConsumer(stream, { work: 60_000, concurrency: 3 });
    await append(numbers(5));
    await eventually("it has begun with three", () => has(victim, "started", 2));
    victim.signal("SIGKILL");
    await victim.exited;
    const attempts: Record<number, number> = {};
    const heir = groups.consume<N>("g", ({ data, attempt }) => void (attempts[data.n] = attempt), { lease: 600 });
    let completed = 0;
    heir.on("completed", () => completed++);
    await eventually("all are completed", () => completed === 5);
    expect(attempts).toEqual({ 0: 2, 1: 2, 2: 2, 3: 1, 4: 1 });
    await eventually("nothing is left of it", async () => (await groups.group("g").status()).consumers === 1);
    expect(await groups.group("g").status()).toMatchObject({ pending: 0, retrying: 0, lag: 0 });
  });

  test("that an entry keeps killing: the entry becomes a dead letter, and its neighbours are completed", async () => {
    const stream = nextStream();
    const { groups, append } = open(stream);
    await append(numbers(5));
    let restarts = 0;
    let isOver = false;
    const done = new Set<unknown>();
    const keepOneAlive = (async () => {
      while (!isOver) {
        const one = startConsumer(stream, { poison: 2, lease: 300 });
        await Promise.race([one.exited, eventually("the end", () => isOver, 60_000)]);
        for (const line of one.lines) if ("completed" in line) done.add(line["completed"]);
        restarts++;
      }
    })();
    await eventually("the group is there", async () => (await groups.status()).length === 1, 60_000);
    await eventually("the poison is dead", async () => (await groups.group("g").status()).dead === 1, 60_000);
    await eventually("nothing is pending", async () => (await groups.group("g").status()).pending === 0, 60_000);
    await eventually("all were handed out", async () => (await groups.group("g").status()).lag === 0, 60_000);
    isOver = true;
    await keepOneAlive;
    expect(await collected(groups.group("g").deadLetters())).toMatchObject([
      { data: { n: 2 }, attempts: 3, reason: expect.stringContaining("WORKER_DIED") as string },
    ]);
    expect(restarts).toBeGreaterThanOrEqual(3);
    expect([...done].toSorted((a, b) => Number(a) - Number(b))).toEqual([0, 1, 3, 4]);
  }, 120_000);

  test("that stands still for longer than its lease says so when it goes on, disturbs nobody, and is of use again", async () => {
    const stream = nextStream();
    const { groups, append } = open(stream);
    const stalled = startConsumer(stream, { work: 200 });
    await append([{ n: 1 }]);
    await eventually("it has begun", () => has(stalled, "started", 1));
    stalled.signal("SIGSTOP");
    const finish = gate();
    const begun: number[] = [];
    const other = groups.consume<N>("g", ({ attempt }) => (begun.push(attempt), finish.opened), { lease: 600 });
    let completed = 0;
    other.on("completed", () => completed++);
    await eventually("another one has begun with it", () => begun.length === 1);
    stalled.signal("SIGCONT");
    await eventually("it says that it lost its lease", () => has(stalled, "error", "LEASE_LOST"));
    // The late end of the first attempt has not taken the entry from the second.
    expect(await groups.group("g").status()).toMatchObject({ pending: 1 });
    finish.open();
    await eventually("the other one has completed it", () => completed === 1);
    expect(begun).toEqual([2]);
    expect(has(stalled, "completed", 1)).toBe(false);
    await other.stop();
    await append([{ n: 2 }]);
    await eventually("it completes the next entry", () => has(stalled, "completed", 2));
  });
});

test("an entry that another consumer was given while its first one ran stays with the other one", async () => {
  const { groups, append, keys } = open(nextStream());
  await append([{ n: 1 }]);
  const [ends, attempts]: [(() => void)[], number[]] = [[], []];
  const errors: unknown[] = [];
  const handler = ({ attempt }: { readonly attempt: number }): Promise<void> => {
    attempts.push(attempt);
    return attempt === 1 ? Promise.reject(new Error("so that it is handed out again")) : new Promise((resolve) => ends.push(resolve));
  };
  const options = { backoff: { type: "fixed", delay: 1, jitter: 0 }, lease: 600 } as const;
  const first = groups.consume<N>("g", handler, options);
  first.on("error", (error) => errors.push(error));
  await eventually("it runs again", () => ends.length === 1);
  // As if the renewals of the first had been late.
  const second = groups.consume<N>("g", handler, options);
  const { again } = keys.group("g");
  await eventually("the other one runs it too", async () => {
    const [id = ""] = await stage.valkey.zrange(again, 0, -1);
    if (ends.length === 1) await stage.valkey.zadd(again, 0, id);
    return ends.length === 2;
  });
  ends[0]?.();
  await eventually("the first says that it was not its own any more", () => errors.length === 1);
  expect(errors).toMatchObject([{ code: "LEASE_LOST" }]);
  expect(await groups.group("g").status()).toMatchObject({ pending: 1 });
  ends[1]?.();
  await eventually("the other one has ended it", async () => (await groups.group("g").status()).pending === 0);
  expect(attempts).toEqual([1, 2, 3]);
  await Promise.all([first.stop(), second.stop()]);
});

describe("an answer that is swallowed on the wire", () => {
  let proxy: WireProxy;
  const containing =
    (...texts: string[]) =>
    (bytes: Buffer): boolean =>
      texts.some((text) => bytes.includes(text));

  async function openThroughProxy(stream: string, hasKeys: boolean): Promise<GroupSite> {
    proxy = await startWireProxy({ target: targetOf(stage.valkeyUrl) });
    sites.push({ close: () => proxy.stop() });
    return open(stream, { hasKeys, valkeyUrl: `valkey://127.0.0.1:${proxy.port}` });
  }

  test.each([
    ["a read and an acknowledgement", "xreadgroup", false],
    ["an acknowledgement", "xack", false],
    ["the script of an unkeyed stream", "evalsha", false],
    ["the script of a keyed stream", "evalsha", true],
  ] as const)("%s: nothing is lost, nothing runs twice", async (_, command, hasKeys) => {
    const stream = nextStream();
    const direct = open(stream, { hasKeys });
    const { groups } = await openThroughProxy(stream, hasKeys);
    await direct.append(numbers(400), hasKeys ? ({ n }: N) => `k${n % 7}` : undefined);
    const ran: number[] = [];
    const errors: Error[] = [];
    const consumer = groups.consume<N>(
      "g",
      async ({ data }) => {
        ran.push(data.n);
        if (data.n % 60 === 10 && proxy.swallowed < 5) proxy.swallowReply(containing(command));
        await new Promise((resolve) => setTimeout(resolve, 1));
      },
      { concurrency: 10, lease: 5_000 },
    );
    let completed = 0;
    consumer.on("completed", () => completed++);
    consumer.on("error", (error) => errors.push(error));
    await eventually("all are completed", () => completed === 400);
    expect(proxy.swallowed).toBeGreaterThanOrEqual(2);
    expect(ran.toSorted((a, b) => a - b)).toEqual(numbers(400).map(({ n }) => n));
    expect(errors).toEqual([]);
    expect(await direct.groups.group("g").status()).toMatchObject({ pending: 0, lag: 0 });
    await consumer.stop();
  });

  test("to the end of a failed attempt: the attempt counts once", async () => {
    const stream = nextStream();
    const direct = open(stream);
    const { groups } = await openThroughProxy(stream, false);
    await direct.append([{ n: 1 }]);
    const attempts: number[] = [];
    const consumer = groups.consume<N>(
      "g",
      ({ attempt }) => {
        attempts.push(attempt);
        if (attempt > 3) return;
        proxy.swallowReply(containing("once more"));
        proxy.swallowReply(containing("evalsha"));
        throw new Error("once more");
      },
      { backoff: { type: "fixed", delay: 1, jitter: 0 }, lease: 5_000 },
    );
    let completed = 0;
    consumer.on("completed", () => completed++);
    await eventually("it is completed", () => completed === 1);
    expect(attempts).toEqual([1, 2, 3, 4]);
    expect(proxy.swallowed).toBeGreaterThanOrEqual(3);
  });
});

describe("when Valkey", () => {
  test("loses everything, the group begins again with what there is, and its consumers go on by themselves", async () => {
    const valkey = await startValkey();
    const server = new Valkey(valkey.port, valkey.host);
    const site = openGroups({ prefix: "kl", valkeyUrl: valkey.url }, "s");
    const seen: number[] = [];
    const consumer = site.groups.consume<N>("g", ({ data }) => void seen.push(data.n), { lease: 400 });
    await site.append(numbers(3));
    await eventually("they came", () => seen.length === 3);
    await server.flushall();
    await site.append([{ n: 10 }]);
    await eventually("the next one came", () => seen.includes(10));
    await eventually("nothing is pending", async () => (await site.groups.status())[0]?.pending === 0);
    expect(seen.filter((n) => n < 10)).toEqual([0, 1, 2]);
    await consumer.stop();
    await site.close();
    server.disconnect();
    await valkey.stop();
  });

  test("loses the group alone, it is made again where it is defined to begin", async () => {
    const { groups, append, keys } = open(nextStream());
    const seen: number[] = [];
    groups.consume<N>("g", ({ data }) => void seen.push(data.n), { lease: 400, from: "$" });
    await eventually("it is there", async () => (await groups.status()).length === 1);
    await append([{ n: 1 }]);
    await eventually("it came", () => seen.length === 1);
    await stage.valkey.xgroup("DESTROY", keys.events, "g");
    await eventually("it is there again", async () => ((await stage.valkey.xinfo("GROUPS", keys.events)) as unknown[]).length === 1);
    await append([{ n: 2 }]);
    await eventually("the next one came", () => seen.length === 2);
    expect(seen).toEqual([1, 2]);
  });
});
