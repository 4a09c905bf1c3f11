/*
 * What jobs of these lives do. A script is one entry here, which both kinds of workers run, and one in what the model knows of it (`traits`).
 */
import { Snooze, type Job } from "keyline";
import { moment } from "../places/history.ts";

export interface LifeData {
  readonly n: number;
  readonly script: ScriptName;
  /** Of the last update; none where there was none. */
  readonly version?: number;
}

export type ScriptName = keyof typeof traits;

interface Traits {
  /** How many steps have effects before the last. */
  readonly steps: number;
  readonly isDeadly: boolean;
  /** It may die in any attempt, or not: what puts it back gives it another one. */
  readonly isMortal: boolean;
  /** It waits for the signal `go`. */
  readonly isSignalled: boolean;
  readonly onPlain: boolean;
  /** It has children, and waits for them. */
  readonly isParent: boolean;
}

const simple = { steps: 0, isDeadly: false, isMortal: false, isSignalled: false, onPlain: true, isParent: false };

export const traits = {
  value: simple,
  slow: simple,
  dies: { ...simple, isDeadly: true },
  mortal: { ...simple, isMortal: true },
  steps: { ...simple, steps: 3, onPlain: false },
  sleeps: { ...simple, steps: 2, onPlain: false },
  signalled: { ...simple, steps: 1, isSignalled: true, onPlain: false },
  parent: { ...simple, onPlain: false, isParent: true },
} as const satisfies Record<string, Traits>;

/** What a script can do: on a plain queue only to come to its end. */
export interface Stage {
  readonly job: Job<LifeData>;
  /** Writes an effect of its own once, and is told its value in every run. */
  step(name: string): Promise<number>;
  /** The end of the job, with an effect and the result. */
  end(value: unknown): Promise<unknown>;
}

/** What mortal jobs die of, unless it is the death of their worker. */
export const whatKills = "it happened to die";

const scripts: Record<ScriptName, (stage: Stage) => Promise<unknown>> = {
  value: ({ job, end }) => end(job.data.n),
  async slow({ job, end }) {
    await rest(100 + Math.random() * 300);
    job.signal.throwIfAborted();
    return end(job.data.n);
  },
  dies: () => Promise.reject(new Error("it always fails")),
  async mortal({ job, end }) {
    if (Math.random() < 0.6) throw new Error(whatKills);
    return end(job.data.n);
  },
  async steps({ job, step, end }) {
    let sum = 0;
    for (const name of ["s0", "s1", "s2"]) {
      sum += await step(name);
      fail(job);
    }
    return end(sum);
  },
  async sleeps({ job, step, end }) {
    const first = await step("s0");
    await job.sleep("nap", 150);
    return end(first + (await step("s1")));
  },
  async signalled({ job, step, end }) {
    await step("s0");
    const data = await job.signalled("go");
    fail(job);
    return end(data);
  },
  async parent({ job, end }) {
    const outcomes: string[] = [];
    for await (const { outcome } of job.children()) outcomes.push(outcome);
    return end(outcomes.join(" "));
  },
};

/** Runs the script of a job, which fails now and then, and notes when. */
export async function play(stage: Stage, note: (line: object) => void): Promise<unknown> {
  const { id, group } = stage.job;
  const { n, script, version = 0 } = stage.job.data;
  note({ what: "began", id, group, n, version, at: moment() });
  try {
    await rest(Math.random() * 10);
    fail(stage.job);
    return await scripts[script](stage);
  } finally {
    note({ what: "ended", id, at: moment() });
  }
}

function fail({ attempt }: Job<LifeData>): void {
  const chance = Math.random();
  if (attempt < 5 && chance < 0.1) throw chance < 0.05 ? new Snooze(5) : new Error("once more");
}

function rest(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
