import { startValkey, type EmbeddedValkey } from "@keyline/embedded";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Queue } from "keyline";
import { openEither, type EitherQueue } from "../../support/either-queue.ts";
import { startProcess, type TestProcess } from "../../support/processes.ts";
import { eventually, untilNoneIsLeft, openStage, type Stage } from "../../support/stage.ts";
import { fateOf, trees, type TreeData, type TreeNode } from "./trees.ts";

let valkey: EmbeddedValkey;
let stage: Stage;
beforeAll(async () => {
  // What was answered outlives a restart.
  valkey = await startValkey({ persistence: true, config: { appendfsync: "always" } });
  stage = await openStage({ valkeyUrl: valkey.url });
  await stage.keyline().migrate();
  // Without a unique key, which would hide what took effect twice.
  await stage.pool.query("CREATE TABLE tree_effects (n integer)");
});
afterAll(async () => {
  await stage.close();
  await valkey.stop();
});

/** Two workers, of which one after the other is killed and started again until it is stopped. */
class Workers {
  readonly #settings: object;
  readonly #lines: TestProcess[] = [];
  #workers: TestProcess[] = [];
  #isStopped = false;
  readonly #killing: Promise<void>;
  kills = 0;

  constructor(settings: object) {
    this.#settings = settings;
    this.#workers = [this.#start(), this.#start()];
    this.#killing = this.#killAll();
  }

  /** What handlers found to be otherwise than it should be. */
  get wrong(): unknown[] {
    return this.#lines.flatMap(({ lines }) => lines.filter(({ wrong }) => wrong !== undefined));
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    await this.#killing;
    await Promise.all(this.#workers.map((worker) => this.#kill(worker)));
  }

  #start(): TestProcess {
    const worker = startProcess("tree-worker.ts", this.#settings);
    this.#lines.push(worker);
    return worker;
  }

  async #kill(worker: TestProcess): Promise<void> {
    worker.signal("SIGKILL");
    await worker.exited;
  }

  async #killAll(): Promise<void> {
    while (!this.#isStopped) {
      const [first, second] = this.#workers;
      if (!first || !second) return;
      await eventually("it works", () => this.#isStopped || first.lines.length > 0, 60_000);
      await new Promise((resolve) => setTimeout(resolve, 300 + Math.random() * 1_200));
      await this.#kill(first);
      this.kills++;
      this.#workers = [second, this.#start()];
    }
  }
}

const runs = Number(process.env["FAMILIES"] ?? 3);

describe.each([{ transactional: false }, { transactional: true }])(
  "random families (transactional: $transactional)",
  ({ transactional }) => {
    const names = ["one", "two"].map((name) => `${name}-${transactional}`);
    let n = 0;

    async function ran(): Promise<number[]> {
      if (!transactional) return (await stage.valkey.lrange(`${stage.prefix}:ran`, 0, -1)).map(Number);
      return (await stage.pool.query<{ n: number }>("SELECT n FROM tree_effects")).rows.map((row) => row.n);
    }

    /** Of a transactional queue rows say it: what was to be taken off the schedule by a process that died goes within a day. */
    async function open(queues: readonly EitherQueue<TreeData>[]): Promise<number> {
      if (transactional) return (await stage.pool.query("SELECT FROM keyline.job WHERE state <> 'dead'")).rowCount ?? 0;
      const counts = await Promise.all(queues.map((queue) => queue.counts()));
      return counts.reduce((sum, { waiting, running, scheduled, parked }) => sum + waiting + running + scheduled + parked, 0);
    }

    async function live(roots: readonly TreeNode[], queues: readonly EitherQueue<TreeData>[], isStruck: boolean): Promise<void> {
      const first = n;
      const fates = roots.map((root) => fateOf(root, queues, () => n++));
      await Promise.all(
        fates.map(({ root: { child } }) => {
          const queue = child.queue as Queue<TreeData>;
          return queue.add(child.data as TreeData, { ...child.options, delay: 0 });
        }),
      );
      if (isStruck && transactional) await stage.valkey.flushall();
      if (isStruck && !transactional) {
        await valkey.kill();
        await valkey.restart();
      }
      let last = Infinity;
      // While a store is away it is as it was.
      await untilNoneIsLeft("all end", async () => (last = await open(queues).catch(() => last)));
      const expected = fates.flatMap(({ all }) => all.filter((fate) => fate.runs && !(transactional && fate.isDead)));
      const seen = (await ran()).filter((one) => one >= first).toSorted((a, b) => a - b);
      // A job of a plain queue whose worker is killed is run once more.
      expect(transactional ? seen : [...new Set(seen)]).toEqual(expected.map((fate) => fate.n).toSorted((a, b) => a - b));
    }

    test("end as a model says, each job once, while workers are killed and Valkey is restarted, or flushed where rows have all", async () => {
      const keyline = stage.keyline();
      const queues = names.map((name) => openEither<TreeData>(keyline, name, { transactional }));
      const { valkeyUrl, databaseUrl, prefix } = stage;
      const workers = new Workers({ valkey: valkeyUrl, postgres: databaseUrl, prefix, queues: names, transactional });
      try {
        const families = fc.asyncProperty(fc.array(trees, { minLength: 4, maxLength: 8 }), fc.boolean(), async (roots, isStruck) => {
          await live(roots, queues, isStruck);
          expect(workers.wrong).toEqual([]);
        });
        await fc.assert(families, { numRuns: runs, endOnFailure: true });
        // Small ones may all have ended before the first worker was killed.
        while (workers.kills === 0) await fc.assert(families, { numRuns: 1, endOnFailure: true });
      } finally {
        await workers.stop();
      }
    }, 600_000);
  },
);
