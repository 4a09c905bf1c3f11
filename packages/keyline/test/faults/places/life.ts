import type { EmbeddedPostgres, EmbeddedValkey } from "@keyline/embedded";
import type { Keyline, Queue } from "keyline";
import { startProcess, type TestProcess } from "../../support/processes.ts";
import { eventually, type Stage } from "../../support/stage.ts";
import { addJobs } from "./add-jobs.ts";
import { historyOf, moment, type History } from "./history.ts";
import { insist } from "./insist.ts";
import { KeyedAdds } from "./keyed-adds.ts";
import type { LimitPhase } from "./limit-check.ts";
import { groupNames, per, specs, type Op, type ScheduleName } from "./operations.ts";
import { ticksOf, type Ticking } from "./tick-check.ts";

interface Data {
  readonly n: number;
}

export interface LifeStage {
  readonly stage: Stage;
  readonly valkey: EmbeddedValkey;
  readonly postgres: EmbeddedPostgres;
}

/** What was asked for, and what came of it. */
export interface Lived {
  /** The numbers of the jobs by their group, in the order in which they were added; "" has those without a group. */
  readonly added: ReadonlyMap<string, readonly number[]>;
  readonly schedules: readonly Ticking[];
  readonly phases: readonly LimitPhase[];
  readonly flushes: readonly [from: number, to: number][];
  /** What took effect, by group, in its order. */
  readonly ran: ReadonlyMap<string, readonly number[]>;
  readonly history: History;
  /** Keys that were not held as long as they had to be. */
  readonly unheld: readonly string[];
}

const lease = 1_000;
let lives = 0;

/** Runs the operations on a queue of its own, while workers work on it in processes of their own. */
export async function live(ops: readonly Op[], transactional: boolean, on: LifeStage): Promise<Lived> {
  const life = new Life(transactional, on);
  try {
    for (const op of ops) await life.do(op);
    return await life.end();
  } finally {
    await life.close();
  }
}

class Life {
  readonly #name = `life-${lives++}`;
  readonly #on: LifeStage;
  readonly #transactional: boolean;
  readonly #keyline: Keyline;
  readonly #queue: Queue<Data>;
  readonly #workers: { readonly process: TestProcess; killedAt?: number }[] = [];
  readonly #added = new Map<string, number[]>();
  readonly #keyed: KeyedAdds;
  readonly #schedules: Ticking[] = [];
  readonly #phases: LimitPhase[] = [];
  readonly #flushes: [from: number, to: number][] = [];
  #limits: Omit<LimitPhase, "until"> = { from: 0, concurrency: null, max: null, ofGroup: null };
  #n = 0;

  constructor(transactional: boolean, on: LifeStage) {
    this.#on = on;
    this.#transactional = transactional;
    this.#keyline = on.stage.keyline();
    this.#queue = this.#keyline.queue<Data>(this.#name, { lease, transactional } as { transactional: false });
    this.#keyed = new KeyedAdds(this.#queue, () => this.#n++);
    for (let count = 0; count < 2; count++) this.#startWorker();
  }

  async do(op: Op): Promise<void> {
    switch (op.kind) {
      case "add":
        return this.#add(op);
      case "once":
        return this.#addOnce(op);
      case "limit":
        return this.#limit(op);
      case "pause":
      case "resume":
        return this.#pause(op.kind, op.group);
      case "schedule":
        return this.#schedule(op.schedule);
      case "unschedule":
        return this.#unschedule(op.schedule);
      case "wait":
        return pass(op.ms);
      case "kill": {
        const victim = this.#workers.find(({ killedAt }) => killedAt === undefined);
        if (victim) {
          victim.killedAt = moment();
          victim.process.signal("SIGKILL");
        }
        return this.#startWorker();
      }
      case "flush": {
        const from = moment();
        await this.#on.stage.valkey.flushall();
        this.#flushes.push([from, moment()]);
        return undefined;
      }
      case "restart":
        return this.#on.postgres.restart("immediate");
    }
  }

  /** Takes away what holds jobs back, and waits until nothing is left. */
  async end(): Promise<Lived> {
    await this.#pause("resume", undefined);
    for (const group of groupNames) await this.#pause("resume", group);
    await this.#limit({ concurrency: 3, max: 10, ofGroup: null });
    await this.#add({ kind: "add", group: undefined, delay: 0, priority: "high", how: "one by one" });
    const last = (this.#added.get("") ?? []).slice(-8);
    await eventually("some have run within limits", async () => {
      const ran = new Set((await insist(() => this.#read([""]))).get(""));
      return last.every((n) => ran.has(n));
    });
    await this.#limit({ concurrency: null, max: null, ofGroup: null });
    await this.#unschedule("endless");
    for (const n of this.#keyed.latest) this.#note("", n);
    const expected = [...this.#added.values()].flat().length;
    const places = ["", ...groupNames, ...this.#schedules.map(ticksOf)];
    let ran = new Map<string, number[]>();
    const isThere = (): boolean => {
      const jobs = [...ran].flatMap(([place, numbers]) => (place.startsWith("tick:") ? [] : numbers));
      const isOver = (one: Ticking): boolean => new Set(ran.get(ticksOf(one))).size >= (specs[one.schedule].limit ?? 0);
      return new Set(jobs).size === expected && this.#schedules.every(isOver);
    };
    await eventually(
      `all ${expected} and all ticks have run`,
      async () => isThere() || ((ran = await insist(() => this.#read(places))), isThere()),
      60_000,
    );
    await this.#emptied();
    ran = await insist(() => this.#read(places));
    const ended = this.#workers.map(({ process }) => process);
    for (const process of ended) process.signal("SIGTERM");
    await Promise.all(ended.map(({ exited }) => exited));
    await eventually("all that they have noted is read", () => ended.every(({ child }) => child.stdout?.readableEnded));
    const history = historyOf(this.#workers);
    return {
      added: this.#added,
      schedules: this.#schedules,
      phases: this.#phases,
      flushes: this.#flushes,
      ran,
      history,
      unheld: this.#keyed.check(history),
    };
  }

  async close(): Promise<void> {
    for (const { process } of this.#workers) process.signal("SIGKILL");
    await this.#keyline.close();
  }

  #startWorker(): void {
    const process = startProcess("life-worker.ts", {
      valkey: this.#on.valkey.url,
      postgres: this.#on.stage.databaseUrl,
      prefix: this.#on.stage.prefix,
      queue: this.#name,
      transactional: this.#transactional,
      workers: 2,
      concurrency: 5,
      lease,
      failing: 20,
      work: 20,
      history: true,
    });
    this.#workers.push({ process });
  }

  // Several at a time: a queue with one job shows little.
  async #add({ group, delay, priority, how }: Extract<Op, { kind: "add" }>): Promise<void> {
    const options = { ...(group !== undefined && { group }), ...(delay > 0 && { delay }), ...(priority && { priority }) };
    const jobs = Array.from({ length: 8 }, () => this.#n++).map((n) => ({ data: { n }, ...options, id: `j${n}` }));
    const on = { keyline: this.#keyline, queue: this.#queue, transactional: this.#transactional };
    if (await addJobs(jobs, how, on)) for (const { data } of jobs) this.#note(group ?? "", data.n);
  }

  // Data that is replaced is told of only where each effect comes once: an attempt that a killed worker began has its own.
  async #addOnce(op: Extract<Op, { kind: "once" }>): Promise<void> {
    const keep = op.keep === "latest" && !this.#transactional ? "open" : op.keep;
    for (const n of await this.#keyed.add({ ...op, keep })) this.#note("", n);
  }

  async #limit({ concurrency, max, ofGroup }: Pick<LimitPhase, "concurrency" | "max" | "ofGroup">): Promise<void> {
    this.#phases.push({ ...this.#limits, until: moment() });
    const rate = (most: number | null): { max: number; per: number } | null => (most === null ? null : { max: most, per });
    await insist(() => this.#queue.setLimits({ concurrency, rate: rate(max), group: { rate: rate(ofGroup) } }));
    this.#limits = { from: moment(), concurrency, max, ofGroup };
    // So long that something can go wrong.
    if ((concurrency ?? max ?? ofGroup) !== null) await pass(2 * per);
  }

  async #pause(kind: "pause" | "resume", group: string | undefined): Promise<void> {
    const options = group === undefined ? {} : { group };
    await insist(() => (kind === "pause" ? this.#queue.pause(options) : this.#queue.resume(options)));
  }

  // By two at once, as processes do at their start: it is there once, and goes on as it was.
  async #schedule(schedule: ScheduleName): Promise<void> {
    const generation = this.#schedules.filter((one) => one.schedule === schedule && one.removedAt !== undefined).length;
    const { step: _, ...spec } = specs[schedule];
    const options = { ...spec, missed: "all", data: { n: generation } } as const;
    const declare = (): Promise<unknown> => insist(() => this.#queue.schedule(schedule, options as never));
    await Promise.all([declare(), declare()]);
    if (!this.#schedules.some((one) => one.schedule === schedule && one.generation === generation))
      this.#schedules.push({ schedule, generation, removedAt: undefined });
  }

  async #unschedule(schedule: ScheduleName): Promise<void> {
    await insist(() => this.#queue.unschedule(schedule));
    const there = this.#schedules.find((one) => one.schedule === schedule && one.removedAt === undefined);
    if (there) there.removedAt = Date.now();
  }

  #note(place: string, n: number): void {
    this.#added.set(place, [...(this.#added.get(place) ?? []), n]);
  }

  async #read(places: readonly string[]): Promise<Map<string, number[]>> {
    const { valkey, pool } = this.#on.stage;
    if (!this.#transactional) {
      const lists = await Promise.all(places.map((place) => valkey.lrange(`life:${this.#name}:${place}`, 0, -1)));
      return new Map(places.map((place, index) => [place, (lists[index] ?? []).map(Number)]));
    }
    const text = "SELECT job_group AS place, n::float8 FROM life WHERE queue = $1 ORDER BY life.place";
    const { rows } = await pool.query<{ place: string; n: number }>(text, [this.#name]);
    return new Map([...Map.groupBy(rows, ({ place }) => place)].map(([place, own]) => [place, own.map(({ n }) => n)]));
  }

  async #emptied(): Promise<void> {
    let left = "";
    await eventually("nothing is left", async () => {
      const { waiting, running, scheduled, blocked, dead } = await insist(() => this.#queue.counts());
      left = JSON.stringify({ waiting, running, scheduled, blocked, dead });
      return waiting + running + scheduled + blocked + dead === 0;
    }).catch((error: unknown) => {
      throw new Error(`What is left: ${left}`, { cause: error });
    });
  }
}

function pass(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
