import type { CancelResult, Keyline, Queue } from "keyline";
import { startProcess, type TestProcess } from "../../support/processes.ts";
import { eventually } from "../../support/stage.ts";
import { historyOf, moment } from "../places/history.ts";
import { insist } from "../places/insist.ts";
import type { Crowds, GroupPhase } from "./crowds.ts";
import { actOnLetter, redriveAll, type LetterAct } from "./letters.ts";
import { copies, farAway, type Fault, type Op } from "./operations.ts";
import { traits, type LifeData, type ScriptName } from "./scripts.ts";
import type { LifeServers } from "./servers.ts";

/** How the call of somebody ended: a value, or the code of the error. */
export type Told = { readonly value: unknown } | { readonly code: string };

/** A change of a job before it begins, one after the other. */
interface Change {
  /** What the data says from then on; undefined for a promotion. */
  readonly version: number | undefined;
  /** Undefined where its time stays as it is; 0 for a promotion. */
  readonly delay: number | undefined;
  readonly isTold: boolean;
  /** When it was called, and when the answer was there. */
  readonly called: number;
  readonly at: number;
  /** It was called again because its answer was lost. */
  readonly isAgain: boolean;
}

/** A job, and what its caller was told of it. */
export interface Lived {
  readonly n: number;
  readonly script: ScriptName;
  /** Of a job with children: their numbers, and what the death of one does. */
  readonly children: readonly number[];
  readonly onChildDead: "die" | "value";
  readonly parent: number | undefined;
  /** With which it was added. */
  readonly delay: number;
  readonly changes: Change[];
  /** By every call that was made, `at` when it had resolved. One that was made again because its answer was lost proves less. */
  readonly cancels: { readonly was: CancelResult; readonly at: number; readonly isAgain: boolean }[];
  /** Whether it was among others that were cancelled in one call, which does not say which ones there were. */
  isCancelledWithOthers: boolean;
  readonly letterActs: LetterAct[];
  /** Whether letters were put back in one call, which does not say which ones there were. */
  isRedrivenWithOthers: boolean;
  readonly waits: Told[];
  readonly signals: boolean[];
  /** What became of it. */
  end: Told;
}

export interface Effect {
  readonly n: number;
  readonly part: string;
  readonly value: unknown;
}

export type Line = Readonly<Record<string, unknown>>;

/** All that there is to be judged. */
export interface Evidence {
  readonly jobs: readonly Lived[];
  readonly effects: readonly Effect[];
  /** What workers have printed. */
  readonly lines: readonly Line[];
  /** What is there and nobody needs any more. */
  readonly left: readonly string[];
  /** The faults that struck. */
  readonly struck: readonly Fault[];
  readonly crowds: Crowds;
}

const lease = 1_000;
const keepResult = 600_000;
let opened = 0;

/** Does the operations while workers work in processes of their own; cancels, signals and waits go on beside them. */
export async function live(ops: readonly Op[], transactional: boolean, servers: LifeServers): Promise<Evidence> {
  const life = new Life(transactional, servers);
  try {
    for (const op of ops) await life.do(op);
    return await life.end();
  } finally {
    await life.close();
  }
}

class Life {
  readonly #servers: LifeServers;
  readonly #transactional: boolean;
  readonly #name: string;
  readonly #keylines: readonly Keyline[];
  /** Of two connections: what one of them has added the other one waits for. */
  readonly #queues: readonly [Queue<LifeData, LifeData, true>, Queue<LifeData, LifeData, true>];
  readonly #workers: TestProcess[] = [];
  readonly #killed: { readonly process: TestProcess; readonly killedAt: number }[] = [];
  readonly #jobs: Lived[] = [];
  readonly #underWay: Promise<void>[] = [];
  readonly #struck: Fault[] = [];
  readonly #losses: [from: number, to: number][] = [];
  readonly #phases: GroupPhase[] = [];
  #limit: Omit<GroupPhase, "until"> = { from: 0, concurrency: 1 };
  /** The last change of each job: the next one waits for it. */
  readonly #changing = new Map<Lived, Promise<void>>();
  /** The same of acts on its letter. */
  readonly #acting = new Map<Lived, Promise<void>>();
  readonly #redriving: Promise<number>[] = [];

  constructor(transactional: boolean, servers: LifeServers) {
    this.#servers = servers;
    this.#transactional = transactional;
    this.#name = `lives-${opened++}`;
    const keyline = (): Keyline => servers.stage.keyline({ valkey: servers.valkey });
    const [one, other] = [keyline(), keyline()];
    this.#keylines = [one, other];
    const open = (on: Keyline): Queue<LifeData, LifeData, true> =>
      on.queue<LifeData>(this.#name, { lease, keepResult, transactional, maxAttempts: 1_000 } as { transactional: true });
    this.#queues = [open(one), open(other)];
    for (let count = 0; count < 2; count++) this.#startWorker();
  }

  async do(op: Op): Promise<void> {
    switch (op.kind) {
      case "add":
        return this.#add(op);
      case "family":
        return this.#addFamily(op);
      case "cancel":
        return this.#beside(this.#chosen(op.of), (job) => this.#cancel(job));
      case "update":
        return this.#beside(this.#chosen(op.of), (job) => this.#inTurn(job, () => this.#update(job, op)));
      case "promote":
        return this.#beside(this.#chosen(op.of), (job) => this.#inTurn(job, () => this.#promote(job)));
      case "cancelMany": {
        const jobs = op.of.map((of) => this.#chosen(of)).filter((job) => job !== undefined);
        for (const job of jobs) job.isCancelledWithOthers = true;
        const ids = jobs.map(idOf);
        return ids.length === 0 ? undefined : this.#beside(jobs[0], () => insist(() => this.#queues[0].cancel({ ids })));
      }
      case "redrive":
      case "discard":
        return this.#beside(this.#mortal(op.of), (job) => this.#actOnLetter(job, op.kind));
      case "redriveAll":
        return this.#redriveAll();
      case "limitGroups":
        return this.#limitGroups(op.concurrency);
      case "wait":
        return this.#beside(this.#chosen(op.of), async (job) => void job.waits.push(await this.#told(job)));
      case "signal":
        return this.#beside(this.#chosen(op.of), (job) => this.#signal(job));
      case "rest":
        return new Promise((resolve) => setTimeout(resolve, op.ms));
      case "kill":
      case "flush":
      case "failover":
      case "restart":
        await this.#strike(op.kind);
        this.#struck.push(op.kind);
    }
  }

  async #strike(fault: Fault): Promise<void> {
    if (fault === "flush") return this.#lose(() => this.#servers.flush());
    if (fault === "failover") return this.#lose(() => this.#servers.failOver());
    if (fault === "restart") return this.#servers.postgres.restart("immediate");
    const [victim] = this.#workers;
    if (!victim) throw new Error("there is nobody to be killed");
    await eventually("it works", () => victim.lines.some(({ what }) => what === "ready"), 60_000);
    const killedAt = moment();
    victim.signal("SIGKILL");
    await victim.exited;
    this.#workers.shift();
    this.#killed.push({ process: victim, killedAt });
    this.#startWorker();
  }

  async #lose(strike: () => Promise<void>): Promise<void> {
    const from = moment();
    await strike();
    this.#losses.push([from, moment()]);
  }

  async end(): Promise<Evidence> {
    for (const job of this.#jobs) if (traits[job.script].isSignalled && !job.signals.includes(true)) await this.#signal(job);
    await Promise.all(this.#changing.values());
    // Of others somebody was told that they are due.
    for (const job of this.#jobs) if (job.delay === farAway && !job.changes.some(isTimed)) await this.#promote(job);
    await Promise.all([...this.#acting.values(), ...this.#redriving]);
    await Promise.all(this.#jobs.map(async (job) => (job.end = await this.#told(job))));
    await Promise.all(this.#underWay);
    const left = await this.#left();
    for (const worker of this.#workers) worker.signal("SIGTERM");
    const all = [...this.#killed, ...this.#workers.map((process) => ({ process }))];
    await Promise.all(all.map(({ process }) => process.exited));
    await eventually("all that they have noted is read", () => all.every(({ process }) => process.child.stdout?.readableEnded));
    const crowds = { history: historyOf(all), phases: [...this.#phases, { ...this.#limit, until: Infinity }], losses: this.#losses };
    const lines = all.flatMap(({ process }) => process.lines).filter(({ n }) => n !== undefined);
    return { jobs: this.#jobs, effects: await this.#effects(), lines, left, struck: this.#struck, crowds };
  }

  async close(): Promise<void> {
    for (const worker of this.#workers) worker.signal("SIGKILL");
    await Promise.all(this.#keylines.map((keyline) => keyline.close()));
  }

  #startWorker(): void {
    const { stage, valkey } = this.#servers;
    const settings = {
      valkey,
      postgres: stage.databaseUrl,
      prefix: stage.prefix,
      queue: this.#name,
      transactional: this.#transactional,
      lease,
    };
    this.#workers.push(startProcess("lives-worker.ts", settings));
  }

  async #add({ script, delay, group }: Extract<Op, { kind: "add" }>): Promise<void> {
    for (let copy = 0; copy < copies; copy++) {
      const job = born({ n: this.#jobs.length, script, delay });
      const options = {
        ...optionsOf(job),
        ...(delay > 0 && { delay }),
        ...(group !== undefined && { group }),
      };
      await insist(() => this.#queues[0].add({ n: job.n, script }, options));
      this.#jobs.push(job);
    }
  }

  /** A parent with its children, the last of which may be a parent too: all in one call. */
  async #addFamily({ onChildDead, children, nested }: Extract<Op, { kind: "family" }>): Promise<void> {
    const [queue] = this.#queues;
    const first = this.#jobs.length;
    const hasNested = nested.length > 0;
    const numbers = (from: number, count: number): number[] => Array.from({ length: count }, (_, index) => from + index);
    const parent = born({ n: first, script: "parent", onChildDead, children: numbers(first + 1, children.length + (hasNested ? 1 : 0)) });
    const own = children.map((script, index) => born({ n: first + 1 + index, script, parent: first }));
    const last = first + 1 + own.length;
    const nestedParent = hasNested
      ? [born({ n: last, script: "parent", onChildDead, parent: first, children: numbers(last + 1, nested.length) })]
      : [];
    const below = nested.map((script, index) => born({ n: last + 1 + index, script, parent: last }));
    const toChild = (job: Lived, options: object = {}) => ({
      queue,
      data: { n: job.n, script: job.script },
      options: { ...optionsOf(job), ...options },
    });
    const all = [
      ...own.map((job) => toChild(job)),
      ...nestedParent.map((job) => toChild(job, { onChildDead, children: below.map((one) => toChild(one)) })),
    ];
    await insist(() => queue.add({ n: parent.n, script: "parent" }, { ...optionsOf(parent), children: all, onChildDead }));
    this.#jobs.push(parent, ...own, ...nestedParent, ...below);
  }

  #redriveAll(): void {
    const mortals = this.#jobs.filter(({ script }) => traits[script].isMortal);
    for (const job of mortals) job.isRedrivenWithOthers = true;
    const [first] = mortals;
    // What is told at the end is what became of them afterwards.
    if (first) this.#redriving.push(redriveAll(this.#queues[1]));
  }

  /** Once it has died, and one act after the other. */
  #actOnLetter(job: Lived, what: LetterAct["what"]): Promise<void> {
    const turn = (this.#acting.get(job) ?? Promise.resolve()).then(async () => {
      const told = await this.#told(job);
      job.waits.push(told);
      if ("code" in told && told.code === "JOB_DEAD") await actOnLetter(this.#queues[1], job, { what, id: idOf(job) });
    });
    this.#acting.set(job, turn);
    return turn;
  }

  async #limitGroups(concurrency: number): Promise<void> {
    this.#phases.push({ ...this.#limit, until: moment() });
    await insist(() => this.#queues[0].setLimits({ group: { concurrency } }));
    this.#limit = { from: moment(), concurrency };
  }

  #mortal(of: number): Lived | undefined {
    const mortals = this.#jobs.filter(({ script }) => traits[script].isMortal);
    return mortals.at(-1 - (of % Math.max(1, mortals.length)));
  }

  #chosen(of: number): Lived | undefined {
    return this.#jobs.at(-1 - (of % Math.max(1, this.#jobs.length)));
  }

  #beside(job: Lived | undefined, work: (job: Lived) => Promise<unknown>): void {
    if (job) this.#underWay.push(work(job).then(() => undefined));
  }

  async #cancel(job: Lived): Promise<void> {
    let calls = 0;
    const was = await insist(() => {
      calls++;
      return this.#queues[1].cancel(idOf(job));
    });
    job.cancels.push({ was, at: moment(), isAgain: calls > 1 });
  }

  #inTurn(job: Lived, change: () => Promise<void>): Promise<void> {
    const turn = (this.#changing.get(job) ?? Promise.resolve()).then(change);
    this.#changing.set(job, turn);
    return turn;
  }

  async #update(job: Lived, { delay, priority }: Extract<Op, { kind: "update" }>): Promise<void> {
    const version = job.changes.length + 1;
    const data = { n: job.n, script: job.script, version };
    const changes = { data, ...(delay !== undefined && { delay }), ...(priority && { priority }) };
    await this.#change(job, { version, delay }, async () => (await this.#queues[1].update(idOf(job), changes)).updated);
  }

  #promote(job: Lived): Promise<void> {
    return this.#change(job, { version: undefined, delay: 0 }, () => this.#queues[1].promote(idOf(job)));
  }

  async #change(job: Lived, { version, delay }: Pick<Change, "version" | "delay">, change: () => Promise<boolean>): Promise<void> {
    let calls = 0;
    const called = moment();
    const isTold = await insist(() => {
      calls++;
      return change();
    });
    job.changes.push({ version, delay, isTold, called, at: moment(), isAgain: calls > 1 });
  }

  async #signal(job: Lived): Promise<void> {
    if (this.#transactional) job.signals.push(await insist(() => this.#queues[1].signal(idOf(job), "go", `go ${job.n}`)));
  }

  #told(job: Lived): Promise<Told> {
    return this.#queues[1].waitFor(idOf(job), { timeout: 90_000 }).then(
      (value) => ({ value }),
      (error: unknown) => ({ code: String((error as { code?: unknown }).code ?? error) }),
    );
  }

  async #effects(): Promise<Effect[]> {
    if (!this.#transactional) return [];
    const text = "SELECT n, part, value FROM lives WHERE queue = $1 ORDER BY place";
    return (await this.#servers.stage.pool.query<Effect>(text, [this.#name])).rows;
  }

  /** When nothing comes of it any more. Rows of cancelled jobs go within minutes, where a call or a worker did not come to its end. */
  async #left(): Promise<string[]> {
    let left: string[] = [];
    await eventually(
      "nothing is left",
      async () => {
        left = await insist(() => this.#look());
        return left.length === 0;
      },
      40_000,
    ).catch(() => undefined);
    return left;
  }

  async #look(): Promise<string[]> {
    const { waiting, running, scheduled, blocked, parked } = await this.#queues[0].counts();
    const left = waiting + running + blocked + parked > 0 ? [JSON.stringify({ waiting, running, blocked, parked })] : [];
    if (!this.#transactional) return scheduled > 0 ? [...left, `${scheduled} scheduled`] : left;
    // A second copy of one that waited for a signal may rest on the schedule; it is dropped when it is taken. What has a row is found below.
    const { rows } = await this.#servers.stage.pool.query<{ what: string }>(
      `WITH dead AS (SELECT id FROM keyline.job WHERE queue = $1 AND state = 'dead')
       SELECT 'the row of ' || id || ', ' || state AS what FROM keyline.job WHERE queue = $1 AND state NOT IN ('dead', 'cancelled')
       UNION ALL SELECT 'a step of ' || job_id FROM keyline.step WHERE queue = $1 AND job_id NOT IN (SELECT id FROM dead)
       UNION ALL SELECT 'a signal to ' || job_id FROM keyline.job_signal WHERE queue = $1 AND job_id NOT IN (SELECT id FROM dead)
       UNION ALL SELECT 'the family of ' || job_id FROM keyline.family WHERE queue = $1 AND job_id NOT IN (SELECT id FROM dead)`,
      [this.#name],
    );
    return [...left, ...rows.map(({ what }) => what)];
  }
}

function born(job: Pick<Lived, "n" | "script"> & Partial<Lived>): Lived {
  const acts = {
    changes: [],
    cancels: [],
    isCancelledWithOthers: false,
    letterActs: [],
    isRedrivenWithOthers: false,
    waits: [],
    signals: [],
  };
  return { delay: 0, children: [], onChildDead: "value", parent: undefined, end: { code: "" }, ...acts, ...job };
}

function isTimed({ isTold, delay }: Change): boolean {
  return isTold && delay !== undefined;
}

function optionsOf(job: Lived): { readonly id: string; readonly maxAttempts?: number } {
  const { isDeadly, isMortal } = traits[job.script];
  return { id: idOf(job), ...((isDeadly || isMortal) && { maxAttempts: isMortal ? 1 : 2 }) };
}

function idOf({ n }: { readonly n: number }): string {
  return `j${n}`;
}
