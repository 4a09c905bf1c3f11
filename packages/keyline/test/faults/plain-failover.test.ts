import { startValkeySentinel, type EmbeddedValkeySentinel } from "@keyline/embedded";
import fc from "fast-check";
import { Valkey } from "iovalkey";
import { Keyline, type AddOptions, type Job, type Queue } from "keyline";
import { expect, test } from "vitest";
import { eventually } from "../support/stage.ts";

// Plain queues live on Valkey alone, so what they promise at a failover is what the replica had: WAIT says what that is. What came after it may be lost, or be there.

// LIVES=20 has more of them, and SEED=... the same again.
const { LIVES = "4", SEED } = process.env;

type Kind = "plain" | "delayed" | "high" | "low" | "own" | "a" | "b";
interface Life {
  readonly kinds: readonly Kind[];
  readonly kindsAfter: readonly Kind[];
  /** How many of the jobs the replica is known to have. */
  readonly known: number;
  /** Whether it is kept from having the others. */
  readonly isCutOff: boolean;
  readonly size: number;
  readonly concurrency: number;
  readonly workMs: number;
  /** Of a hundred attempts. */
  readonly failing: number;
  /** One that ends while there is no primary, and one that does not. */
  readonly lease: number;
}

const kind = fc.constantFrom<Kind>("plain", "delayed", "high", "low", "own", "a", "b");
const lives: fc.Arbitrary<Life> = fc.record({
  kinds: fc.array(kind, { minLength: 40, maxLength: 150, size: "max" }),
  kindsAfter: fc.array(kind, { minLength: 10, maxLength: 40, size: "max" }),
  known: fc.integer({ min: 10, max: 150 }),
  isCutOff: fc.boolean(),
  size: fc.integer({ min: 1, max: 12 }),
  concurrency: fc.integer({ min: 1, max: 8 }),
  workMs: fc.integer({ min: 0, max: 30 }),
  failing: fc.integer({ min: 0, max: 20 }),
  lease: fc.constantFrom(1_500, 60_000),
});

interface Data {
  readonly n: number;
}

function optionsOf(kindOf: Kind, n: number): AddOptions {
  if (kindOf === "delayed") return { delay: 1 + ((n * 37) % 400) };
  if (kindOf === "high" || kindOf === "low") return { priority: kindOf };
  if (kindOf === "own") return { id: `own-${n}` };
  return kindOf === "plain" ? {} : { group: kindOf };
}

/** What was asked for, and what came of it. */
class Observed {
  /** Acknowledged. */
  readonly added = new Set<number>();
  readonly asked: { readonly n: number; readonly kind: Kind }[] = [];
  readonly runs: number[] = [];
  readonly completed = new Set<number>();
  readonly dead: number[] = [];

  kindOf(n: number): Kind | undefined {
    return this.asked[n]?.kind;
  }
}

async function addAll(queue: Queue<Data>, kinds: readonly Kind[], size: number, seen: Observed): Promise<void> {
  for (let first = 0; first < kinds.length; first += size) {
    const before = seen.asked.length;
    const numbered = kinds.slice(first, first + size).map((each, index) => ({ n: before + index, kind: each }));
    seen.asked.push(...numbered);
    await queue.addMany(numbered.map(({ n, kind: each }) => ({ data: { n }, ...optionsOf(each, n) })));
    for (const { n } of numbered) seen.added.add(n);
  }
}

function workOn(queue: Queue<Data>, { concurrency, workMs, failing }: Life, seen: Observed): void {
  const handler = async (job: Job<Data>): Promise<void> => {
    seen.runs.push(job.data.n);
    if (workMs > 0) await new Promise((resolve) => setTimeout(resolve, workMs));
    if (job.attempt < 5 && (job.data.n * 53 + job.attempt * 17) % 100 < failing) throw new Error("once more");
  };
  for (let count = 0; count < 2; count++) {
    const worker = queue.work(handler, { concurrency });
    worker.on("completed", ({ data }) => void seen.completed.add(data.n));
    worker.on("dead", (job) => void seen.dead.push(job?.data.n ?? -1));
    worker.on("error", () => undefined);
  }
}

/** All that was written to the primary before is on the replica. */
async function replicated({ primary }: EmbeddedValkeySentinel): Promise<void> {
  const client = new Valkey(primary.port, primary.host);
  await client.set("barrier", "1");
  expect(await client.wait(1, 30_000)).toBe(1);
  client.disconnect();
}

/** The replica gets nothing from here on, and the primary goes on without it. */
async function cutOff({ primary, replica }: EmbeddedValkeySentinel): Promise<void> {
  replica.pause();
  const client = new Valkey(primary.port, primary.host);
  await client.call("CLIENT", "KILL", "TYPE", "replica");
  client.disconnect();
}

async function isPrimary({ host, port }: { readonly host: string; readonly port: number }): Promise<boolean> {
  const client = new Valkey(port, host, { commandTimeout: 2_000 });
  client.on("error", () => undefined);
  return String((await client.role().finally(() => client.disconnect()))[0]) === "master";
}

async function failOver(servers: EmbeddedValkeySentinel): Promise<void> {
  await servers.primary.kill();
  servers.replica.resume();
  await eventually("the replica has taken over", () => isPrimary(servers.replica), 60_000);
}

async function live(life: Life): Promise<void> {
  const servers = await startValkeySentinel();
  const sentinels = servers.sentinels.map(({ host, port }) => ({ host, port }));
  const keyline = new Keyline({ valkey: { sentinels, name: servers.name }, prefix: "failover" });
  const seen = new Observed();
  try {
    const queue = keyline.queue<Data>("plain", { lease: life.lease, maxAttempts: 1_000, backoff: () => 5 });
    workOn(queue, life, seen);
    await addAll(queue, life.kinds.slice(0, life.known), life.size, seen);
    const done = [...seen.completed];
    await replicated(servers);
    const [known, runsBefore] = [new Set(seen.added), seen.runs.length];
    if (life.isCutOff) await cutOff(servers);
    const adding = addAll(queue, life.kinds.slice(life.known), life.size, seen).catch(() => undefined);
    await (life.isCutOff ? adding : undefined);
    await failOver(servers);
    await adding;
    await eventually("it can be added to", () =>
      queue.counts().then(
        () => true,
        () => false,
      ),
    );
    const before = seen.asked.length;
    await addAll(queue, life.kindsAfter, life.size, seen);
    const after = seen.asked.slice(before).map(({ n }) => n);
    const isLeft = (): number[] => [...known, ...after].filter((n) => !seen.completed.has(n));
    await eventually("all that is promised has run", () => isLeft().length === 0, 60_000).catch(() => undefined);
    expect(isLeft()).toEqual([]);
    await eventually("nothing is left", async () => {
      const { waiting, running, scheduled, blocked } = await queue.counts();
      return waiting + running + scheduled + blocked === 0;
    });
    check(seen, { done, runsBefore });
  } finally {
    await keyline.close();
    await servers.stop();
  }
}

function check(seen: Observed, { done, runsBefore }: { readonly done: readonly number[]; readonly runsBefore: number }): void {
  expect(seen.dead).toEqual([]);
  expect(seen.runs.filter((n) => seen.kindOf(n) === undefined)).toEqual([]);
  // What had ended, and the replica knew that, does not run again.
  const again = new Set(seen.runs.slice(runsBefore));
  expect(done.filter((n) => again.has(n))).toEqual([]);
  for (const group of ["a", "b"]) {
    const firstRuns = [...new Set(seen.runs.filter((n) => seen.kindOf(n) === group))];
    expect(firstRuns).toEqual(firstRuns.toSorted((one, other) => one - other));
  }
}

test("random plain jobs while the primary is killed: what its replica was known to have runs, what had ended there does not, and groups keep their order", async () => {
  const rules = { numRuns: Number(LIVES), endOnFailure: true, ...(SEED !== undefined && { seed: Number(SEED) }) };
  await fc.assert(fc.asyncProperty(lives, live), rules);
}, 600_000);
