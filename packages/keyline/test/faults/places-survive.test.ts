import { startPostgres, startValkey, type EmbeddedPostgres, type EmbeddedValkey } from "@keyline/embedded";
import fc from "fast-check";
import type { AddOptions, AddResult, Queue } from "keyline";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { startProcess, type TestProcess } from "../support/processes.ts";
import { eventually, openStage, type Stage } from "../support/stage.ts";

let valkey: EmbeddedValkey;
let postgres: EmbeddedPostgres;
let stage: Stage;
const workers: TestProcess[] = [];

beforeAll(async () => {
  [valkey, postgres] = await Promise.all([startValkey(), startPostgres()]);
  stage = await openStage({ valkeyUrl: valkey.url, postgresUrl: postgres.url });
  await stage.keyline().migrate();
  // No unique key: it would hide what took effect twice.
  await stage.pool.query("CREATE TABLE life (queue text, job_group text, n integer, place bigserial)");
});
afterAll(async () => {
  for (const worker of workers) worker.signal("SIGKILL");
  await stage.close();
  await Promise.all([valkey.stop(), postgres.stop()]);
});

type Op =
  | { readonly kind: "add"; readonly group: string | undefined; readonly delay: number; readonly priority: AddOptions["priority"] }
  | { readonly kind: "once"; readonly key: string; readonly delay: number }
  | { readonly kind: "limit"; readonly concurrency: number | null; readonly max: number | null }
  | { readonly kind: "pause" | "resume"; readonly group: string | undefined }
  | { readonly kind: "kill" | "flush" | "restart" };

const groupNames = ["a", "b", "c", "d"];
const group = fc.option(fc.constantFrom(...groupNames), { nil: undefined });
const add = fc.record({
  kind: fc.constant("add" as const),
  group,
  delay: fc.oneof({ weight: 4, arbitrary: fc.constant(0) }, { weight: 1, arbitrary: fc.integer({ min: 1, max: 300 }) }),
  priority: fc.constantFrom("high" as const, "normal" as const, "low" as const),
});
const once = fc.record({
  kind: fc.constant("once" as const),
  key: fc.constantFrom("k", "l", "m"),
  delay: fc.constantFrom(0, 200),
});
const limit = fc.record({
  kind: fc.constant("limit" as const),
  concurrency: fc.option(fc.integer({ min: 2, max: 10 })),
  max: fc.option(fc.integer({ min: 20, max: 100 })),
});
const pause = fc.record({ kind: fc.constantFrom("pause" as const, "resume" as const), group });
const fault = (kinds: readonly ("kill" | "flush" | "restart")[]): fc.Arbitrary<Op> => fc.record({ kind: fc.constantFrom(...kinds) });
const lives = (kinds: readonly ("kill" | "flush" | "restart")[]): fc.Arbitrary<Op[]> => {
  const op = fc.oneof(
    { weight: 12, arbitrary: add },
    { weight: 3, arbitrary: once },
    { weight: 2, arbitrary: limit },
    { weight: 2, arbitrary: pause },
    { weight: 2, arbitrary: fault(kinds) },
  );
  return fc.array(op, { minLength: 25, maxLength: 40 });
};

let runs = 0;
const hour = 3_600_000;

/** Runs the operations while workers work in processes of their own, and returns what was added and what took effect, by group. */
async function live(ops: readonly Op[], transactional: boolean): Promise<{ added: Map<string, number[]>; ran: Map<string, number[]> }> {
  const name = `life-${transactional}-${runs++}`;
  const keyline = stage.keyline();
  const queue = keyline.queue<{ readonly n: number }>(name, { lease: 1_000, transactional } as { transactional: false });
  const startWorker = (): TestProcess => {
    const worker = startProcess("life-worker.ts", {
      valkey: valkey.url,
      postgres: stage.databaseUrl,
      prefix: stage.prefix,
      queue: name,
      transactional,
      workers: 2,
      concurrency: 5,
      lease: 1_000,
      failing: 20,
      work: 5,
    });
    workers.push(worker);
    return worker;
  };
  const working = [startWorker(), startWorker()];
  const added = new Map<string, number[]>();
  const holders = new Map<string, string>();
  let n = 0;
  for (const op of ops) {
    if (op.kind === "add") {
      // Several at a time: a queue with one job shows little.
      for (let copy = 0; copy < 8; copy++) {
        const { group: groupName, delay, priority } = op;
        const options = {
          ...(groupName !== undefined && { group: groupName }),
          ...(delay > 0 && { delay }),
          ...(priority && { priority }),
        };
        await addOnce(queue, { n, id: `j${n}`, options });
        added.set(groupName ?? "", [...(added.get(groupName ?? "") ?? []), n++]);
      }
    } else if (op.kind === "once") {
      // From two callers at once, and whoever does not know what became of it asks again: one of all is there.
      const { key, delay } = op;
      const options = { deduplicate: { key, window: hour }, ...(delay > 0 && { delay }) };
      const answers = await Promise.all([1, 2].map(() => insist(() => queue.add({ n: holders.has(key) ? -1 : n }, options))));
      const holder = holders.get(key);
      expect(new Set(answers.map(({ id }) => id))).toEqual(new Set([holder ?? answers[0]?.id]));
      if (holder !== undefined) continue;
      holders.set(key, answers[0]?.id ?? "");
      added.set("", [...(added.get("") ?? []), n++]);
    } else if (op.kind === "limit") {
      const rate = op.max === null ? null : { max: op.max, per: 200 };
      await insist(() => queue.setLimits({ concurrency: op.concurrency, rate }));
    } else if (op.kind === "pause" || op.kind === "resume") {
      const options = op.group === undefined ? {} : { group: op.group };
      await insist(() => (op.kind === "pause" ? queue.pause(options) : queue.resume(options)));
    } else if (op.kind === "kill") {
      working.shift()?.signal("SIGKILL");
      working.push(startWorker());
    } else if (op.kind === "flush") {
      await stage.valkey.flushall();
    } else {
      await postgres.restart("immediate");
    }
  }
  await insist(() => queue.resume());
  for (const groupName of groupNames) await insist(() => queue.resume({ group: groupName }));
  await insist(() => queue.setLimits({ concurrency: null, rate: null }));
  const ran = await finished(name, { queue, transactional, total: n });
  for (const worker of working) worker.signal("SIGTERM");
  await Promise.all(working.map((worker) => worker.exited));
  await keyline.close();
  return { added, ran };
}

/** A caller who does not know what became of an add asks again with the same id. */
async function addOnce(
  queue: Queue<{ readonly n: number }>,
  job: { readonly n: number; readonly id: string; readonly options: AddOptions },
): Promise<AddResult> {
  return insist(() => queue.add({ n: job.n }, { ...job.options, id: job.id }));
}

async function insist<Result>(work: () => Promise<Result>): Promise<Result> {
  let last: unknown;
  for (let tries = 0; tries < 200; tries++) {
    try {
      return await work();
    } catch (error) {
      last = error;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }
  throw last;
}

async function finished(
  name: string,
  {
    queue,
    transactional,
    total,
  }: { readonly queue: Queue<{ readonly n: number }>; readonly transactional: boolean; readonly total: number },
): Promise<Map<string, number[]>> {
  let ran = new Map<string, number[]>();
  const read = async (): Promise<void> => {
    ran = new Map();
    if (transactional) {
      const { rows } = await stage.pool.query<{ job_group: string; n: number }>(
        "SELECT job_group, n FROM life WHERE queue = $1 ORDER BY place",
        [name],
      );
      for (const row of rows) ran.set(row.job_group, [...(ran.get(row.job_group) ?? []), row.n]);
    } else {
      for (const groupName of ["", ...groupNames]) {
        ran.set(groupName, (await stage.valkey.lrange(`life:${name}:${groupName}`, 0, -1)).map(Number));
      }
    }
  };
  await eventually(
    `all ${total} have run`,
    async () => {
      await insist(read);
      return new Set([...ran.values()].flat()).size === total;
    },
    40_000,
  );
  let left = "";
  await eventually("nothing is left", async () => {
    const { waiting, running, scheduled, blocked, dead } = await insist(() => queue.counts());
    left = JSON.stringify({ waiting, running, scheduled, blocked, dead });
    return waiting + running + scheduled + blocked + dead === 0;
  }).catch((error: unknown) => {
    throw new Error(`What is left: ${left}`, { cause: error });
  });
  await insist(read);
  return ran;
}

/** The first run of each. */
function firsts(numbers: readonly number[]): number[] {
  return [...new Set(numbers)];
}

describe("random lives of jobs with places of their own, while workers are killed", () => {
  test("of a transactional queue, Valkey flushed and PostgreSQL restarted: each effect once, in the order of its group", async () => {
    await fc.assert(
      fc.asyncProperty(lives(["kill", "flush", "restart"]), async (ops: Op[]) => {
        const { added, ran } = await live(ops, true);
        for (const [groupName, numbers] of added) {
          const effects = ran.get(groupName) ?? [];
          if (groupName === "") expect(effects.toSorted((a, b) => a - b)).toEqual(numbers);
          else expect(effects).toEqual(numbers);
        }
      }),
      { numRuns: 2, endOnFailure: true },
    );
  }, 180_000);

  test("of a plain queue: nothing is lost, and each group is run in its order", async () => {
    await fc.assert(
      fc.asyncProperty(lives(["kill"]), async (ops: Op[]) => {
        const { added, ran } = await live(ops, false);
        // A job whose worker was killed may have run before: the first run of each counts.
        for (const [groupName, numbers] of added) {
          const effects = firsts(ran.get(groupName) ?? []);
          if (groupName === "") expect(effects.toSorted((a, b) => a - b)).toEqual(numbers);
          else expect(effects).toEqual(numbers);
        }
      }),
      { numRuns: 2, endOnFailure: true },
    );
  }, 180_000);
});
